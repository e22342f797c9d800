//! The table of fields in docs/spec/wire.md against the schema. Extensions stand in the text of that page.

use crate::markdown::{section, table};
use crate::sources::read;
use arwen::messages::MessageKind;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use std::collections::BTreeMap;

/// Fields from this number on are extensions.
const FIRST_EXTENSION: i32 = 100;

/// The messages of the schema, by name.
struct Schema(BTreeMap<String, DescriptorProto>);

impl Schema {
    fn read() -> Schema {
        let descriptors = include_bytes!(concat!(env!("OUT_DIR"), "/schema.bin"));
        let descriptors = FileDescriptorSet::decode(descriptors.as_slice()).expect("descriptors");
        let messages = descriptors
            .file
            .into_iter()
            .flat_map(|file| file.message_type);
        Schema(
            messages
                .map(|message| (message.name().to_owned(), message))
                .collect(),
        )
    }

    /// The fields of a message as the page writes them: `Nonce u64, Data bytes`.
    fn fields(&self, message: &DescriptorProto) -> String {
        let fields = message.field.iter();
        let fields = fields.filter(|field| field.number() < FIRST_EXTENSION);
        let fields: Vec<_> = fields.map(|field| self.field(field)).collect();
        match fields.is_empty() {
            true => "none".to_owned(),
            false => fields.join(", "),
        }
    }

    fn field(&self, field: &FieldDescriptorProto) -> String {
        match type_name(field) {
            // Its fields stand beside the others.
            "VMInput" => "all of VMInput".to_owned(),
            _ => format!("{} {}", json_name(field), self.kind(field)),
        }
    }

    fn kind(&self, field: &FieldDescriptorProto) -> String {
        let repeated = field.label() == Label::Repeated;
        match self.entry(field) {
            Some([_key]) if repeated => return "set".to_owned(),
            Some([_key, value]) if repeated => return format!("map of {}", self.kind(value)),
            _ => {}
        }
        let single = match field.r#type() {
            Type::Message if type_name(field) == "BigInt" => "big",
            Type::Message => type_name(field),
            Type::Bytes => "bytes",
            Type::String => "string",
            Type::Bool => "bool",
            Type::Uint32 => "u32",
            Type::Uint64 => "u64",
            Type::Int64 => "i64",
            other => panic!("{}: the page has no name for {other:?}", field.name()),
        };
        match repeated {
            true => format!("list of {single}"),
            false => single.to_owned(),
        }
    }

    /// The fields of the message that a map or a set is made of.
    fn entry(&self, field: &FieldDescriptorProto) -> Option<&[FieldDescriptorProto]> {
        let message = self.0.get(type_name(field))?;
        let first = message.field.first()?;
        (first.name() == "key").then_some(&message.field)
    }

    /// The messages that are objects: those of kinds in the order of their numbers, then what they are made of.
    fn objects(&self) -> Vec<&DescriptorProto> {
        let kinds = (0..).map_while(MessageKind::from_wire);
        let of_kinds: Vec<_> = kinds
            .filter_map(|kind| self.0.get(kind.as_str_name()))
            .collect();
        let mut inside = BTreeMap::new();
        for message in &of_kinds {
            self.inside(message, &mut inside);
        }
        of_kinds.into_iter().chain(inside.into_values()).collect()
    }

    /// Adds the objects that a message is made of.
    fn inside<'a>(
        &'a self,
        message: &DescriptorProto,
        found: &mut BTreeMap<&'a str, &'a DescriptorProto>,
    ) {
        for field in &message.field {
            if let Some(inner) = self.0.get(type_name(field)) {
                if self.entry(field).is_none() && inner.name() != "BigInt" {
                    found.insert(inner.name(), inner);
                }
                self.inside(inner, found);
            }
        }
    }
}

/// The message type of a field, without its package.
fn type_name(field: &FieldDescriptorProto) -> &str {
    field.type_name().rsplit('.').next().unwrap_or_default()
}

/// The name in JSON: the one that the schema gives, or the name in PascalCase.
fn json_name(field: &FieldDescriptorProto) -> String {
    let words = field.name().split('_');
    let pascal: String = words
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect();
    let given = field.json_name();
    // What the compiler of the schema fills in.
    let default = pascal[..1].to_lowercase() + &pascal[1..];
    match given == default || given.is_empty() {
        true => pascal,
        false => given.to_owned(),
    }
}

#[test]
fn the_fields_are_those_of_the_schema() {
    let schema = Schema::read();
    let page = read("docs/spec/wire.md");
    let rows = table(section(&page, "Fields"));
    let objects = schema.objects();
    for (row, message) in rows.iter().zip(&objects) {
        assert_eq!(*row, [message.name(), &schema.fields(message)]);
    }
    assert_eq!(rows.len(), objects.len());
}
