//! The laws that are watched over the small world and at its end, each with its name. Whoever sees one broken says
//! which, and when.
//!
//! Deliberately absent: laws that follow from a release's own state, which are `segue_domain::laws`.

/// Declares the laws: name and number.
macro_rules! laws {
    ($($(#[$says:meta])* $name:ident => $number:literal;)*) => {
        /// A law.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Law {
            $($(#[$says])* $name,)*
        }

        impl Law {
            /// What violations begin with: `S2`.
            pub const fn number(self) -> &'static str {
                match self {
                    $(Self::$name => $number,)*
                }
            }
        }
    };
}

laws! {
    /// A batch never has more live instances than were asked for at one time.
    NoDoubleLaunch => "S1";
    /// No instance is stopped or terminated while a board lives on it.
    NoEndWithBoards => "S2";
    /// No instance is stopped or terminated while a target group lists it, and none with boards is taken out of
    /// one.
    NoEndInTraffic => "S3";
    /// No instance that served is stopped or terminated while it takes new boards.
    NoEndWhileOpen => "S4";
    /// Only what the plan names, or the release launched, is stopped, terminated, closed or deregistered, and
    /// nothing whose tags a person took away while it serves.
    OnlyOurs => "S5";
    /// Whoever served is ended on repeated fresh zeros only.
    UnknownIsNeverZero => "S6";
    /// Nothing that a daemon does leaves the users without any server; with several load balancers the users of
    /// none.
    SomebodyServes => "S7";
    /// Nothing that a daemon does leaves fewer servers than the floor, unless more serve after it than before; with
    /// several load balancers an even part of it at each, and in all of them once each has its shares.
    Capacity => "S8";
    /// A board is moved to an open server of the version that is joined, that its slot leads to, and to no other; with
    /// several load balancers to one of its own, as long as its release has one there. It is not moved before its clients
    /// have attached, or had their time to, nor when they have given that up.
    MovesHaveAPlace => "S9";
    /// A board is moved once in each direction.
    MovedOnce => "S11";
    /// After the verdict nothing is begun but the end of old servers.
    Order => "S12";
    /// Old servers are kept for as long as was promised.
    NoReturn => "S13";
    /// New servers are closed on the way back only while an old one serves.
    BackNeedsAPlace => "S14";
    /// Epochs never fall.
    OneChain => "S15";
    /// A server obeys no generation that is lower than one it has seen.
    StaleIsHarmless => "S16";
    /// Nothing is done to the outside that is not an intent in the journal, in flight.
    IntentFirst => "S17";
    /// Every record is there, follows from the one before, and folds.
    Audit => "S21";
    /// What is only told holds no release and turns none back.
    ToldNeverBlocks => "S22";
    /// Readings at EC2 stay within its token buckets, on a bad day as on a good one.
    ApiBudget => "S23";
    /// A service has one release at a time.
    OneRelease => "S25";
    /// When the world has healed, every release comes to its end.
    EveryReleaseEnds => "L1";
    /// What a release launched serves, or is gone.
    NoOrphans => "L2";
    /// After a way back every old server that lives is open.
    BackIsAsBefore => "L3";
    /// A release does not go on for ever.
    NoLivelock => "L4";
    /// A board is on exactly one server, the one that the ownership table names.
    OneOwner => "A1";
    /// A route slot leads to one server that lives.
    OneSlotOneServer => "A2";
    /// No assertion of the product's own is broken.
    NoBug => "A3";
    /// No new server gets clients before it was configured and warmed up.
    ReadyFirst => "A4";
    /// No client is sent away where boards can be carried.
    NobodyIsSentAway => "A5";
    /// What belongs to others is not taken in.
    TheirsIsTheirs => "A7";
    /// A server is registered at one load balancer.
    OneBalancer => "A8";
    /// Whoever serves what is left, in a group of the old ones, is left with the others, whoever brought it and when.
    NobodyStaysBehind => "A9";
}

impl std::fmt::Display for Law {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.number())
    }
}
