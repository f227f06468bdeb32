//! Every call that the engine can make at the outside: each method of each port, and of the journal as far as
//! the engine uses it. It is written down here once: a fake names the method that it answers, so
//! one that is in the list and that no story calls fails the crash sweep (`tests/it/coverage.rs`). Whether a new
//! method of a port is in the list at all is for its fake to say: the compiler does not ask for it.

/// Declares the methods and their ports; each method reads or changes something.
macro_rules! methods {
    ($($port:ident { $($name:ident = $text:literal $does:ident;)* })*) => {
        /// One method of a port.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $($(#[doc = concat!("`", stringify!($port), "::", $text, "`")] $name,)*)*
        }

        /// A port, or the journal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Port {
            $($port,)*
        }

        impl Method {
            pub const ALL: &'static [Self] = &[$($(Self::$name,)*)*];

            /// The port, and what its method is called there.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$name => concat!(stringify!($port), "::", $text),)*)*
                }
            }

            pub const fn port(self) -> Port {
                match self {
                    $($(Self::$name => Port::$port,)*)*
                }
            }

            const fn does(self) -> Does {
                match self {
                    $($(Self::$name => Does::$does,)*)*
                }
            }
        }
    };
}

/// Whether a call leaves anything behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Reads,
    Changes,
}

methods! {
    Cloud {
        Images = "images" Reads;
        Instances = "instances" Reads;
        Strangers = "strangers" Reads;
        FreeAddresses = "free_addresses" Reads;
        TemplateExists = "template_exists" Reads;
        Launch = "launch" Changes;
        Start = "start" Changes;
        Stop = "stop" Changes;
        Terminate = "terminate" Changes;
        Tag = "tag" Changes;
    }
    LoadBalancer {
        Targets = "targets" Reads;
        Register = "register" Changes;
        Deregister = "deregister" Changes;
        Weights = "weights" Reads;
        SetWeights = "set_weights" Changes;
    }
    BoardMetrics {
        BoardCounts = "boards" Reads;
        Vitals = "vitals" Reads;
    }
    Boards {
        Status = "status" Reads;
        BoardList = "boards" Reads;
        OwnedBy = "owned_by" Reads;
        Open = "open" Changes;
        Close = "close" Changes;
        Drain = "drain" Changes;
        Prepare = "prepare" Changes;
        Offer = "offer" Changes;
        Seal = "seal" Changes;
        Activate = "activate" Changes;
        End = "end" Changes;
    }
    Hooks {
        Configure = "configure" Changes;
        WarmUp = "warm_up" Changes;
    }
    Notifier {
        Announce = "announce" Changes;
    }
    Store {
        Page = "page" Reads;
        Append = "append" Changes;
        Acquire = "acquire_above" Changes;
        Renew = "renew" Changes;
        GiveBack = "release" Changes;
    }
}

impl Method {
    /// It is a call at the journal, not at the world.
    pub fn is_journal(self) -> bool {
        self.port() == Port::Store
    }

    /// It changes nothing: whoever dies before it or after it leaves the same behind.
    pub fn reads(self) -> bool {
        self.does() == Does::Reads
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
