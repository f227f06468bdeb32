//! The token in an offer. The old server makes it, the new one checks it, and no call carries it between
//! them: both know the key.

use super::Key;
use crate::wire::{BoardId, ClientId, MoveId, Token};

/// Lets this client attach to this board in this move, and nothing else.
pub fn attach_token(key: &Key, move_id: &MoveId, board: &BoardId, client: &ClientId) -> Token {
    use hmac::Mac;
    let mac = key.mac(&[
        b"handover-attach-v1",
        move_id.as_str().as_bytes(),
        board.as_str().as_bytes(),
        client.as_str().as_bytes(),
    ]);
    Token::parse(&hex::encode(mac.finalize().into_bytes())).expect("64 hexadecimal digits are a token")
}

/// Compares in constant time, so that a token cannot be found digit by digit.
pub fn is_attach_token(key: &Key, move_id: &MoveId, board: &BoardId, client: &ClientId, got: &Token) -> bool {
    let wanted = attach_token(key, move_id, board, client);
    let (wanted, got) = (wanted.as_str().as_bytes(), got.as_str().as_bytes());
    wanted.len() == got.len() && wanted.iter().zip(got).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_client_in_one_move_of_one_board() {
        let key = Key::new("0123456789abcdef").expect("long enough");
        let other_key = Key::new("0123456789abcdeX").expect("long enough");
        let moves = ["m1", "m2"].map(|text| MoveId::parse(text).expect("an id"));
        let boards = ["b1", "b2"].map(|text| BoardId::parse(text).expect("an id"));
        let clients = ["ann", "bob"].map(|text| ClientId::parse(text).expect("an id"));
        let token = attach_token(&key, &moves[0], &boards[0], &clients[0]);
        assert!(is_attach_token(&key, &moves[0], &boards[0], &clients[0], &token));
        assert!(!is_attach_token(&key, &moves[1], &boards[0], &clients[0], &token));
        assert!(!is_attach_token(&key, &moves[0], &boards[1], &clients[0], &token));
        assert!(!is_attach_token(&key, &moves[0], &boards[0], &clients[1], &token));
        assert!(!is_attach_token(&other_key, &moves[0], &boards[0], &clients[0], &token));
    }
}
