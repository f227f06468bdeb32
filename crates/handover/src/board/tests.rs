//! Boards against a store, in every order of events.
