//! Reads arguments from their JSON text, without a tree in between. [`List`] is the argument
//! list, [`Item`] one argument in it, and [`With`] carries the attachments down through
//! serde_json's own deserializer, to wherever a type asks for bytes.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use serde::de::value::SeqDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::args::BadArgs;
#[cfg(feature = "std")]
use crate::bytes::Lend;
use crate::bytes::{Bytes, SHARED};

/// The methods of a `Deserializer` that need no thought, as rows for another macro.
macro_rules! methods {
    ($go:ident) => {
        $go! {
            deserialize_bool() deserialize_char()
            deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
            deserialize_i128()
            deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64()
            deserialize_u128()
            deserialize_f32() deserialize_f64()
            deserialize_str() deserialize_string()
            deserialize_map() deserialize_identifier() deserialize_ignored_any()
            deserialize_unit_struct(name: &'static str)
            deserialize_tuple_struct(name: &'static str, len: usize)
            deserialize_struct(name: &'static str, fields: &'static [&'static str])
            deserialize_enum(name: &'static str, variants: &'static [&'static str])
        }
    };
}

/// The argument list. Who asks it for a tuple gets the list, who asks for nothing gets nothing,
/// and all others get the first argument.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    /// The text in which the members stand.
    pub(super) text: &'a str,
    pub(super) places: &'a [(u32, u32)],
    pub(super) attachments: &'a [Bytes],
    /// How long a tuple was asked for; stays 0 if none was.
    pub(super) asked: &'a Cell<usize>,
}

impl<'a> List<'a> {
    fn item(self, index: usize) -> Item<'a> {
        let place = self.places.get(index);
        let text = place.map(|&(start, end)| &self.text[start as usize..end as usize]);
        Item { text, attachments: self.attachments }
    }
}

macro_rules! first {
    ($($method:ident($($name:ident: $type:ty),*))*) => { $(
        fn $method<V: Visitor<'a>>(
            self, $($name: $type,)* visitor: V,
        ) -> Result<V::Value, BadArgs> {
            let read = self.item(0).$method($($name,)* visitor);
            read.map_err(|e| BadArgs { argument: Some(0), ..e })
        }
    )* };
}

impl<'a> Deserializer<'a> for List<'a> {
    type Error = BadArgs;

    fn deserialize_tuple<V: Visitor<'a>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, BadArgs> {
        self.asked.set(len);
        visitor.visit_seq(Walk { list: self, next: 0, len })
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, BadArgs> {
        visitor.visit_unit()
    }

    methods! { first }
    first! {
        deserialize_any() deserialize_bytes() deserialize_byte_buf() deserialize_seq()
        deserialize_option() deserialize_newtype_struct(name: &'static str)
    }
}

/// One argument after the other, as far as the tuple goes.
struct Walk<'a> {
    list: List<'a>,
    next: usize,
    len: usize,
}

impl<'a> SeqAccess<'a> for Walk<'a> {
    type Error = BadArgs;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, BadArgs> {
        if self.next == self.len {
            return Ok(None);
        }
        let index = self.next;
        self.next += 1;
        let read = seed.deserialize(self.list.item(index));
        read.map(Some).map_err(|e| BadArgs { argument: Some(index), ..e })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.next)
    }
}

/// One argument, or none where one was wanted.
struct Item<'a> {
    text: Option<&'a str>,
    attachments: &'a [Bytes],
}

macro_rules! item {
    ($($method:ident($($name:ident: $type:ty),*))*) => { $(
        fn $method<V: Visitor<'a>>(
            self, $($name: $type,)* visitor: V,
        ) -> Result<V::Value, BadArgs> {
            let Some(text) = self.text else { return Err(missing(&visitor)) };
            let json = &mut serde_json::Deserializer::from_str(text);
            // Nearly all messages have no attachments, and go the straight way.
            let read = if self.attachments.is_empty() {
                json.$method($($name,)* visitor)
            } else {
                With { inner: json, attachments: self.attachments }.$method($($name,)* visitor)
            };
            read.map_err(BadArgs::from)
        }
    )* };
}

impl<'a> Deserializer<'a> for Item<'a> {
    type Error = BadArgs;

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, BadArgs> {
        match self.text {
            None | Some("null") => visitor.visit_none(),
            Some(_) => visitor.visit_some(self),
        }
    }

    methods! { item }
    item! {
        deserialize_any() deserialize_bytes() deserialize_byte_buf() deserialize_seq()
        deserialize_newtype_struct(name: &'static str) deserialize_unit()
        deserialize_tuple(len: usize)
    }
}

fn missing<'de>(visitor: &impl Visitor<'de>) -> BadArgs {
    BadArgs::custom(format_args!("missing, wanted {}", visitor as &dyn de::Expected))
}

/// A deserializer, a seed or an access of serde_json's, with the attachments at hand.
struct With<'b, T> {
    inner: T,
    attachments: &'b [Bytes],
}

impl<'b, T> With<'b, T> {
    fn with<U>(&self, inner: U) -> With<'b, U> {
        With { inner, attachments: self.attachments }
    }

    fn look<V>(&self, visitor: V, wants: Wants) -> Look<'b, V> {
        Look { visitor, attachments: self.attachments, wants }
    }
}

macro_rules! through {
    ($($method:ident($($name:ident: $type:ty),*))*) => { $(
        fn $method<V: Visitor<'de>>(
            self, $($name: $type,)* visitor: V,
        ) -> Result<V::Value, D::Error> {
            let look = self.look(visitor, Wants::Plain);
            self.inner.$method($($name,)* look)
        }
    )* };
}

/// An attachment may stand here, so what does is asked first.
macro_rules! ask {
    ($($method:ident $wants:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let look = self.look(visitor, Wants::$wants);
            self.inner.deserialize_any(look)
        }
    )* };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for With<'_, D> {
    type Error = D::Error;

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if name == SHARED {
            let look = self.look(visitor, Wants::Share);
            return self.inner.deserialize_any(look);
        }
        let look = self.look(visitor, Wants::Plain);
        self.inner.deserialize_newtype_struct(name, look)
    }

    methods! { through }
    through! { deserialize_option() deserialize_unit() deserialize_tuple(len: usize) }
    ask! {
        deserialize_any Any deserialize_bytes Bytes deserialize_byte_buf Bytes deserialize_seq Seq
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for With<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for With<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        let seed = self.with(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for With<'_, A> {
    type Error = A::Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.with(seed);
        self.inner.next_value_seed(seed)
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for With<'b, A> {
    type Error = A::Error;
    type Variant = With<'b, A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Self::Variant), A::Error> {
        let (name, variant) = self.inner.variant_seed(seed)?;
        Ok((name, With { inner: variant, attachments: self.attachments }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for With<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.with(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let look = self.look(visitor, Wants::Plain);
        self.inner.tuple_variant(len, look)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let look = self.look(visitor, Wants::Plain);
        self.inner.struct_variant(fields, look)
    }
}

/// What a type wants where an attachment may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// Anything but bytes.
    Plain,
    /// Whatever stands there.
    Any,
    /// Bytes, which it copies.
    Bytes,
    /// A list, of numbers if it is of bytes.
    Seq,
    /// A share: it is a [`Bytes`].
    Share,
}

/// A visitor that gives the attachment where a placeholder stands.
struct Look<'b, V> {
    visitor: V,
    attachments: &'b [Bytes],
    wants: Wants,
}

macro_rules! visits {
    ($($method:ident($type:ty))*) => { $(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )* };
}

macro_rules! enters {
    ($($method:ident $access:ident)*) => { $(
        fn $method<A: $access<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
            self.visitor.$method(With { inner, attachments: self.attachments })
        }
    )* };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Look<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    visits! {
        visit_bool(bool) visit_f64(f64)
        visit_i64(i64) visit_i128(i128) visit_u64(u64) visit_u128(u128)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }
    enters! {
        visit_some Deserializer visit_newtype_struct Deserializer
        visit_seq SeqAccess visit_enum EnumAccess
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        if self.wants == Wants::Plain {
            return self.visitor.visit_map(With { inner: map, attachments: self.attachments });
        }
        let first: Option<String> = map.next_key()?;
        // Not every client writes the two in the official order. Where anything may stand, a map
        // that begins with `num` is more likely just that.
        let placeholder = match first.as_deref() {
            Some("_placeholder") => true,
            Some("num") => self.wants != Wants::Any,
            _ => false,
        };
        if !placeholder {
            let inner = Again { first, map };
            return self.visitor.visit_map(With { inner, attachments: self.attachments });
        }
        let num = placeholder_num(first, &mut map)?;
        let attachment = num.and_then(|num| self.attachments.get(num));
        let bytes = attachment.ok_or_else(|| Error::custom("a placeholder without attachment"))?;
        match self.wants {
            Wants::Seq => {
                self.visitor.visit_seq(SeqDeserializer::<_, A::Error>::new(bytes.iter().copied()))
            }
            #[cfg(feature = "std")]
            Wants::Share => {
                self.visitor.visit_newtype_struct(Lend(bytes.clone())).map_err(Error::custom)
            }
            _ => self.visitor.visit_bytes(bytes),
        }
    }
}

/// The number in a placeholder, whose first key was read.
fn placeholder_num<'de, A: MapAccess<'de>>(
    first: Option<String>,
    map: &mut A,
) -> Result<Option<usize>, A::Error> {
    let (mut on, mut num) = (false, None);
    let mut key = first;
    while let Some(name) = key {
        match &*name {
            "_placeholder" => on = map.next_value()?,
            "num" => num = Some(map.next_value()?),
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        key = map.next_key()?;
    }
    Ok(num.filter(|_| on))
}

/// A map whose first key was read, to see whether it is a placeholder.
struct Again<A> {
    first: Option<String>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Again<A> {
    type Error = A::Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}
