//! The two directions between a record type and the domain type that it mirrors, and the macros that write
//! them down.
//!
//! Both directions name every field and every variant. A field or variant that the domain gains does not
//! compile until somebody has decided how it looks on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;

/// A body that is well-formed and still says nothing: a release id without a number.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} cannot be {value:?}")]
pub(crate) struct Unreadable {
    pub(crate) what: &'static str,
    pub(crate) value: String,
}

/// A type on disk that stands for `D`. Reading back what was written yields the same value.
pub(crate) trait Mirrors<D>: Sized {
    fn write(value: &D) -> Self;
    fn read(self) -> Result<D, Unreadable>;
}

impl<D, R: Mirrors<D>> Mirrors<Option<D>> for Option<R> {
    fn write(value: &Option<D>) -> Self {
        value.as_ref().map(R::write)
    }

    fn read(self) -> Result<Option<D>, Unreadable> {
        self.map(R::read).transpose()
    }
}

impl<D, R: Mirrors<D>> Mirrors<Box<D>> for Box<R> {
    fn write(value: &Box<D>) -> Self {
        Self::new(R::write(value))
    }

    fn read(self) -> Result<Box<D>, Unreadable> {
        R::read(*self).map(Box::new)
    }
}

impl<D, R: Mirrors<D>> Mirrors<Arc<D>> for Box<R> {
    fn write(value: &Arc<D>) -> Self {
        Self::new(R::write(value))
    }

    fn read(self) -> Result<Arc<D>, Unreadable> {
        R::read(*self).map(Arc::new)
    }
}

impl<D, R: Mirrors<D>> Mirrors<Vec<D>> for Vec<R> {
    fn write(value: &Vec<D>) -> Self {
        value.iter().map(R::write).collect()
    }

    fn read(self) -> Result<Vec<D>, Unreadable> {
        self.into_iter().map(R::read).collect()
    }
}

impl<D, R: Mirrors<D>> Mirrors<[D; 2]> for [R; 2] {
    fn write(value: &[D; 2]) -> Self {
        value.each_ref().map(R::write)
    }

    fn read(self) -> Result<[D; 2], Unreadable> {
        let [first, second] = self;
        Ok([first.read()?, second.read()?])
    }
}

impl<D: Ord, R: Mirrors<D> + Ord> Mirrors<BTreeSet<D>> for BTreeSet<R> {
    fn write(value: &BTreeSet<D>) -> Self {
        value.iter().map(R::write).collect()
    }

    fn read(self) -> Result<BTreeSet<D>, Unreadable> {
        self.into_iter().map(R::read).collect()
    }
}

impl<DK: Ord, DV, K: Mirrors<DK> + Ord, V: Mirrors<DV>> Mirrors<BTreeMap<DK, DV>> for BTreeMap<K, V> {
    fn write(value: &BTreeMap<DK, DV>) -> Self {
        value.iter().map(|(key, value)| (K::write(key), V::write(value))).collect()
    }

    fn read(self) -> Result<BTreeMap<DK, DV>, Unreadable> {
        self.into_iter().map(|(key, value)| Ok((key.read()?, value.read()?))).collect()
    }
}

/// A struct that mirrors a struct of the domain field by field.
macro_rules! mirror_struct {
    ($(#[$doc:meta])* $name:ident mirrors $domain:ty {
        $($(#[$attribute:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub(crate) struct $name {
            $($(#[$attribute])* pub(crate) $field: $type,)*
        }

        impl $crate::record::v1::mirror::Mirrors<$domain> for $name {
            fn write(value: &$domain) -> Self {
                type Mirrored = $domain;
                let Mirrored { $($field,)* } = value;
                Self { $($field: $crate::record::v1::mirror::Mirrors::write($field),)* }
            }

            fn read(self) -> Result<$domain, $crate::record::v1::mirror::Unreadable> {
                type Mirrored = $domain;
                let Self { $($field,)* } = self;
                Ok(Mirrored { $($field: $crate::record::v1::mirror::Mirrors::read($field)?,)* })
            }
        }
    };
}

/// An enum with fields. `KEY` is the field that says which one it is; after the arrow stands the variant of
/// the domain, which is read as a pattern in one direction and as an expression in the other.
macro_rules! mirror_enum {
    ($(#[$doc:meta])* $name:ident ($key:literal) mirrors $domain:ty {
        $($word:literal $variant:ident {
            $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)?
        } = ($($mirrored:tt)*),)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = $key)]
        pub(crate) enum $name {
            $(#[serde(rename = $word)] $variant { $($(#[$attribute])* $field: $type,)* },)*
        }

        #[cfg(test)]
        impl $name {
            pub(crate) const KEY: &str = $key;
            pub(crate) const WORDS: &[&str] = &[$($word),*];
        }

        impl $crate::record::v1::mirror::Mirrors<$domain> for $name {
            fn write(value: &$domain) -> Self {
                match value {
                    $($($mirrored)* => Self::$variant {
                        $($field: $crate::record::v1::mirror::Mirrors::write($field),)*
                    },)*
                }
            }

            fn read(self) -> Result<$domain, $crate::record::v1::mirror::Unreadable> {
                Ok(match self {
                    $(Self::$variant { $($field,)* } => {
                        $(let $field = $crate::record::v1::mirror::Mirrors::read($field)?;)*
                        $($mirrored)*
                    })*
                })
            }
        }
    };
}

/// An enum without fields: a word on disk.
macro_rules! mirror_words {
    ($(#[$doc:meta])* $name:ident mirrors $domain:ty { $($word:literal $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub(crate) enum $name {
            $(#[serde(rename = $word)] $variant,)*
        }

        #[cfg(test)]
        impl $name {
            pub(crate) const WORDS: &[&str] = &[$($word),*];
        }

        impl $crate::record::v1::mirror::Mirrors<$domain> for $name {
            fn write(value: &$domain) -> Self {
                type Mirrored = $domain;
                match value {
                    $(Mirrored::$variant => Self::$variant,)*
                }
            }

            fn read(self) -> Result<$domain, $crate::record::v1::mirror::Unreadable> {
                type Mirrored = $domain;
                Ok(match self {
                    $(Self::$variant => Mirrored::$variant,)*
                })
            }
        }
    };
}

pub(crate) use {mirror_enum, mirror_struct, mirror_words};
