//! The laws that no release may break, each with its name. Whoever sees one broken says which, and when.

/// Declares the laws: code, name and sentence.
macro_rules! laws {
    ($($name:ident = $code:literal $sentence:literal;)*) => {
        /// A law.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Law {
            $(#[doc = $sentence] $name,)*
        }

        impl Law {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What violations begin with: `S2`.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)*
                }
            }
        }
    };
}

laws! {
    NoDoubleLaunch = "S1" "A batch never has more live instances than were asked for at one time.";
    NoEndWithBoards = "S2" "No instance is stopped or terminated while a board lives on it.";
    NoEndInTraffic = "S3" "No instance is stopped or terminated while a target group lists it, and none with boards is taken out of one.";
    NoEndWhileOpen = "S4" "No instance that served is stopped or terminated while it takes new boards.";
    OnlyOurs = "S5" "Only what the plan names, or the release launched, is stopped, terminated, closed or deregistered, and nothing whose tags a person took away while it serves.";
    UnknownIsNeverZero = "S6" "Whoever served is ended on repeated fresh zeros only.";
    SomebodyServes = "S7" "Nothing that a daemon does leaves the users without any server; with several load balancers the users of none.";
    Capacity = "S8" "Nothing that a daemon does leaves fewer servers than the floor; with several load balancers an even part of it at each, and in all of them once each has its shares.";
    MovesHaveAPlace = "S9" "A board is moved to an open server of the version that is joined, and to no other; with several load balancers to one of its own, as long as there is one.";
    Pace = "S10" "A wave is no larger, and no faster, than the policy says.";
    MovedOnce = "S11" "A board is moved once in each direction.";
    Order = "S12" "An effect belongs to the step that is on; a step begins when those before it are done.";
    NoReturn = "S13" "Nothing is terminated before the point of no return, and nothing turns back after it.";
    BackNeedsAPlace = "S14" "New servers are closed on the way back only while an old one serves.";
    OneChain = "S15" "Epochs never fall, and places in a stream have no gaps.";
    StaleIsHarmless = "S16" "A server obeys no generation that is lower than one it has seen.";
    IntentFirst = "S17" "Nothing is done to the outside that is not an intent in the journal, in flight.";
    GateFirst = "S18" "Nothing is begun behind a gate before a person answered.";
    PauseMeansPause = "S19" "Nothing is begun while a release is paused.";
    PlanIsFixed = "S20" "Every effect follows from the plan in the first record.";
    Audit = "S21" "Every record is there, follows from the one before, and folds.";
    ToldNeverBlocks = "S22" "What is only told holds no release and turns none back.";
    ApiBudget = "S23" "Readings at EC2 stay within its token buckets, on a bad day as on a good one.";
    NoSecrets = "S24" "No record holds a secret.";
    OneRelease = "S25" "A service has one release at a time.";
    EveryReleaseEnds = "L1" "When the world has healed, every release comes to its end.";
    NoOrphans = "L2" "What a release launched serves, or is gone.";
    BackIsAsBefore = "L3" "After a way back every old server that lives is open.";
    NoLivelock = "L4" "A release does not go on for ever.";
    Takeover = "L5" "Whoever waits for the lease has it soon after its holder is gone.";
    HoldsSayWhy = "L6" "A release that holds says why, and since when.";
    OneOwner = "A1" "A board is on exactly one server, the one that the ownership table names.";
    OneSlotOneServer = "A2" "A route slot leads to one server.";
    NoBug = "A3" "No assertion of the product's own is broken.";
    ReadyFirst = "A4" "No new server gets clients before it was configured and warmed up.";
    NobodyIsSentAway = "A5" "No client is sent away where boards can be carried.";
    WordsAreKept = "A6" "A release that a person aborted is not released.";
    TheirsIsTheirs = "A7" "What belongs to others is not taken in.";
    OneBalancer = "A8" "A server is registered at one load balancer.";
}

impl std::fmt::Display for Law {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}
