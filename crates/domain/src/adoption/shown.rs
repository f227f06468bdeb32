//! What somebody is shown and says yes to, as facts: what is otherwise by then can be told by name.

use std::collections::BTreeMap;

use super::{AdoptionPlan, Newcomer};
use crate::basis::{self, Basis, Difference, short};

impl AdoptionPlan {
    /// One fact for each server that is taken in, under its id: what it is, and what its tags go by. Who is known
    /// already is not in it, for nothing is done to them; nor is who says a version, for another may say the same.
    pub fn basis(&self) -> Basis {
        let servers = self.servers.iter().map(|(id, it)| (id.to_string(), fact_of(it)));
        let service = ("service".to_owned(), self.service.to_string());
        Basis(std::iter::once(service).chain(servers).collect::<BTreeMap<_, _>>())
    }
}

fn fact_of(newcomer: &Newcomer) -> String {
    let Newcomer { image, address, version, known_by: _, unread, groups, route: _ } = newcomer;
    let address = address.as_deref().unwrap_or("-");
    let groups: Vec<&str> = groups.iter().map(|group| short(group.as_str())).collect();
    // Who was asked and who was not is a fact; the words of why not differ each time.
    let asked = if unread.is_some() { " (its application could not be asked)" } else { "" };
    format!("{image} {address} version {version}{asked} in {}", groups.join(" "))
}

/// Who came, who went, and who is another one now.
pub(crate) fn changes(differences: &[Difference]) -> String {
    basis::first(differences, "; ", change)
}

fn change(difference: &Difference) -> String {
    let Difference { fact, then, now } = difference;
    match (then.is_empty(), now.is_empty()) {
        (true, false) => format!("{fact} came"),
        (false, true) => format!("{fact} went"),
        (true, true) | (false, false) => difference.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_changes_the_first_are_told_and_the_others_counted() {
        let came = |n: u32| Difference { fact: format!("i-{n}"), then: String::new(), now: "new".to_owned() };
        let told = changes(&(1..=12).map(came).collect::<Vec<_>>());
        assert!(told.starts_with("i-1 came; i-2 came; "), "{told}");
        assert!(told.ends_with("i-10 came; and 2 more"), "{told}");
    }
}
