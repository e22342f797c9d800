//! Generates what prost-build does not: the JSON codec of the messages, and the roles and pairs that follow from the
//! names of kinds.
//!
//! The rules are at the top of types.proto and kind.proto, where authors of the schema read them.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Fields from this number on are extensions of ours, which old peers do not know.
const FIRST_EXTENSION: i32 = 100;

/// A field with this name is a bit set, by field number, of the lists and maps of its message that are null. It is not
/// a member of the JSON object, where null is written as such.
const NULL_LISTS: &str = "null_lists";

const INFALLIBLE: &str = "writing to a String can't fail";

/// The generated Rust source for all descriptors.
pub fn generate(descriptors: &FileDescriptorSet) -> String {
    let schema = Schema::new(descriptors);
    schema.check_payloads();
    let mut out = String::new();
    for message in schema.messages.values() {
        schema.elements(&mut out, message);
        schema.null_lists(&mut out, message);
        match schema.shape(message) {
            Shape::Object => schema.object(&mut out, message),
            Shape::Entry => schema.entry(&mut out, message),
            Shape::BigInt => {}
        }
    }
    schema.kinds(&mut out);
    out
}

/// The paths of the fields that prost is to box, such as `.package.Message.field`.
pub fn boxed(descriptors: &FileDescriptorSet) -> Vec<String> {
    let mut paths = Vec::new();
    for file in &descriptors.file {
        for message in &file.message_type {
            let fields = message.field.iter().filter(|field| is_boxed(field));
            let path = |field: &FieldDescriptorProto| {
                format!(".{}.{}.{}", file.package(), message.name(), field.name())
            };
            paths.extend(fields.map(path));
        }
    }
    paths
}

/// The JSON form of a message.
#[derive(PartialEq)]
enum Shape {
    /// An object.
    Object,
    /// A member of a map or set: a key and perhaps a value.
    Entry,
    /// A bare number.
    BigInt,
}

/// Generated Rust for the members of a JSON object.
struct JsonMembers {
    /// An expression that reads a member if it is known, and whether it is.
    known: String,
    /// Statements that read the members in the order of the fields.
    in_order: String,
    /// Statements that write all members.
    write: String,
}

struct Schema<'a> {
    messages: BTreeMap<String, &'a DescriptorProto>,
    kinds: &'a EnumDescriptorProto,
}

impl<'a> Schema<'a> {
    fn new(descriptors: &'a FileDescriptorSet) -> Self {
        let messages = descriptors
            .file
            .iter()
            .flat_map(|file| &file.message_type)
            .map(|message| (message.name().to_owned(), message))
            .collect();
        let kinds = descriptors
            .file
            .iter()
            .flat_map(|file| &file.message_type)
            .flat_map(|message| &message.enum_type)
            .find(|e| e.name() == "MessageKind")
            .expect("kind.proto has an enum MessageKind");
        Schema { messages, kinds }
    }

    /// The message that a field's type names.
    fn message_of(&self, field: &FieldDescriptorProto) -> &'a DescriptorProto {
        let name = field
            .type_name()
            .rsplit('.')
            .next()
            .expect("split yields at least one part");
        self.messages
            .get(name)
            .expect("field types are messages of this package")
    }

    /// Checks for collisions. The fields of the envelope are merged with those of every payload, in both encodings, so
    /// no field may have the number or name of one of them. In JSON, names must also differ in more than case.
    fn check_payloads(&self) {
        let envelope = self.messages["Envelope"];
        let kinds = self.kinds.value.iter().map(|kind| kind.name());
        for payload in kinds.filter_map(|name| self.messages.get(name)) {
            let numbers = |message: &DescriptorProto| {
                let numbers = message.field.iter().map(FieldDescriptorProto::number);
                numbers.collect::<BTreeSet<_>>()
            };
            assert!(
                numbers(envelope).is_disjoint(&numbers(payload)),
                "{}: the field numbers 1 to 3 are the envelope's",
                payload.name()
            );
            self.check_names(payload, envelope.field.iter().collect());
        }
        for message in self.messages.values() {
            self.check_names(message, Vec::new());
        }
    }

    fn check_names(&self, message: &'a DescriptorProto, mut beside: Vec<&'a FieldDescriptorProto>) {
        for field in &message.field {
            match is_flattened(field) {
                true => beside.extend(&self.message_of(field).field),
                false => beside.push(field),
            }
        }
        let mut taken = BTreeSet::new();
        for field in beside {
            let name = json_name(field);
            assert!(
                taken.insert(name.to_lowercase()),
                "{}: two members named {name}",
                message.name()
            );
        }
    }

    fn shape(&self, message: &DescriptorProto) -> Shape {
        let names: Vec<_> = message
            .field
            .iter()
            .map(FieldDescriptorProto::name)
            .collect();
        match names[..] {
            ["key"] | ["key", "value"] => Shape::Entry,
            _ if message.name() == "BigInt" => Shape::BigInt,
            _ => Shape::Object,
        }
    }

    /// `impl JsonObject`: a read and a write arm for each field.
    fn object(&self, out: &mut String, message: &DescriptorProto) {
        let JsonMembers {
            known,
            in_order,
            write,
        } = self.members(message);
        // Without fields the parameters are unused.
        let unused = if message.field.is_empty() { "_" } else { "" };
        let type_name = rust_type(message.name());
        writeln!(
            out,
            "impl json::JsonObject for {type_name} {{
                fn read_in_order(&mut self, {unused}input: &mut json::Reader<'_>) -> Result<(), json::JsonError> {{
                    {in_order}
                    Ok(())
                }}
                fn read_member(&mut self, {unused}name: &[u8], {unused}input: &mut json::Reader<'_>) -> Result<bool, json::JsonError> {{
                    Ok({known})
                }}
                fn write_fields(&self, {unused}out: &mut json::Writer<'_>) {{ {write} }}
            }}"
        )
        .expect(INFALLIBLE);
    }

    /// The statements for the members of an object: its own, and those of flattened fields.
    fn members(&self, message: &DescriptorProto) -> JsonMembers {
        let fields = message.field.iter();
        let (own, flattened): (Vec<_>, Vec<_>) = fields
            .filter(|field| field.name() != NULL_LISTS)
            .partition(|field| !is_flattened(field));
        let names: Vec<_> = own.iter().map(|field| json_name(field)).collect();
        let (mut read, mut write, mut in_order) = (String::new(), String::new(), String::new());
        let mut otherwise = "false".to_owned();
        // Flattened fields come first in the recorded frames.
        for field in &flattened {
            let name = field.name();
            write += &format!("json::flattened::write(&self.{name}, out);\n");
            in_order += &format!("json::flattened::read_in_order(&mut self.{name}, input)?;\n");
            otherwise = format!("json::flattened::read_member(&mut self.{name}, name, input)?");
        }
        for (index, field) in own.iter().enumerate() {
            let name = field.name();
            let (read_value, write_value) = self.field_value(message, field);
            // The text of the member up to its value.
            let member = format!("\"{}\":", names[index]);
            in_order += &format!("if input.takes_member(b{member:?}) {{ {read_value} }}\n");
            read += &format!("{index} => {{ {read_value} true }}\n");
            let method = match field.number() >= FIRST_EXTENSION {
                true => "extension",
                false => "field",
            };
            let module = self.json_module(field);
            write += &format!(
                "out.{method}({member:?}, json::{module}::is_zero(&self.{name}), |out| {write_value});\n"
            );
        }
        let known = match own.is_empty() {
            true => otherwise,
            false => {
                format!("match json::position(&{names:?}, name) {{ {read} _ => {otherwise} }}")
            }
        };
        JsonMembers {
            known,
            in_order,
            write,
        }
    }

    /// A statement that reads the value of a field from `input`, and an expression that writes it to `out`.
    fn field_value(
        &self,
        message: &DescriptorProto,
        field: &FieldDescriptorProto,
    ) -> (String, String) {
        let (name, module) = (field.name(), self.json_module(field));
        let read = format!("json::{module}::read(&mut self.{name}, input)?;");
        let write = format!("json::{module}::write(&self.{name}, out)");
        match nullable_lists(message).contains(&field) {
            false => (read, write),
            true => {
                let number = field.number();
                (
                    format!(
                        "json::nullable_list::note(&mut self.{NULL_LISTS}, {number}, input)?; {read}"
                    ),
                    format!(
                        "json::nullable_list::write(self.{name}.is_empty(), self.{NULL_LISTS}, {number}, out, |out| {write})"
                    ),
                )
            }
        }
    }

    /// Constants of a message with `null_lists`.
    fn null_lists(&self, out: &mut String, message: &DescriptorProto) {
        let lists = nullable_lists(message);
        if !lists.is_empty() {
            let bits: u32 = lists.iter().map(|list| 1 << list.number()).sum();
            let empty = lists.iter().map(|list| {
                let (name, number) = (list.name(), list.number());
                format!("u32::from(self.{name}.is_empty()) << {number}")
            });
            let empty = empty.collect::<Vec<_>>().join(" | ");
            let type_name = rust_type(message.name());
            writeln!(
                out,
                "impl {type_name} {{
                    /// All lists and maps, for `null_lists`.
                    pub const ALL_LISTS: u32 = {bits};

                    /// What of `null_lists` has a meaning: the bits of lists and maps that are empty.
                    #[cfg(any(fuzzing, test))]
                    pub(crate) fn empty_null_lists(&self) -> u32 {{
                        self.null_lists & ({empty})
                    }}
                }}"
            )
            .expect(INFALLIBLE);
        }
    }

    /// `impl Elements`: the fields that are lists, or messages that may have lists in them.
    fn elements(&self, out: &mut String, message: &DescriptorProto) {
        let mut fields = String::new();
        for field in &message.field {
            let element = match field.r#type() {
                Type::Message => rust_type(self.message_of(field).name()),
                Type::String => "String".to_owned(),
                _ => "bytes::Bytes".to_owned(),
            };
            let below = match field.r#type() {
                Type::Message => format!("<{element} as elements::Elements>::FIELDS"),
                _ => "&[]".to_owned(),
            };
            let size = match field.label() {
                Label::Repeated => format!("size_of::<{element}>()"),
                _ => "0".to_owned(),
            };
            if field.r#type() == Type::Message || field.label() == Label::Repeated {
                let number = field.number();
                write!(
                    fields,
                    "elements::Field {{ number: {number}, size: {size}, below: {below} }},"
                )
                .expect(INFALLIBLE);
            }
        }
        let type_name = rust_type(message.name());
        writeln!(
            out,
            "impl elements::Elements for {type_name} {{ const FIELDS: &'static [elements::Field] = &[{fields}]; }}"
        )
        .expect(INFALLIBLE);
    }

    /// `impl JsonEntry`: a member of a map or set.
    fn entry(&self, out: &mut String, message: &DescriptorProto) {
        let type_name = rust_type(message.name());
        let (rest, read, write) = match message.field.get(1) {
            Some(value) => {
                let module = self.json_module(value);
                (
                    ", ..Default::default()",
                    format!("json::{module}::read(&mut self.value, input)"),
                    format!("json::{module}::write(&self.value, out)"),
                )
            }
            None => (
                "",
                "json::unit::read(input)".to_owned(),
                "json::unit::write(out)".to_owned(),
            ),
        };
        writeln!(
            out,
            "impl json::JsonEntry for {type_name} {{
                fn with_key(key: bytes::Bytes) -> Self {{ Self {{ key{rest} }} }}
                fn key(&self) -> &bytes::Bytes {{ &self.key }}
                fn read_value(&mut self, input: &mut json::Reader<'_>) -> Result<(), json::JsonError> {{ {read} }}
                fn write_value(&self, out: &mut json::Writer<'_>) {{ {write} }}
            }}"
        )
        .expect(INFALLIBLE);
    }

    /// The module of `messages::json` that reads and writes a field of this type.
    fn json_module(&self, field: &FieldDescriptorProto) -> &'static str {
        let repeated = field.label() == Label::Repeated;
        match field.r#type() {
            Type::Message => match (self.shape(self.message_of(field)), repeated) {
                (Shape::BigInt, false) => "big_int",
                (Shape::Object, false) => "object",
                (Shape::Object, true) => "object_list",
                (Shape::Entry, true) => "map",
                _ => panic!(
                    "{}: no JSON form for this use of {}",
                    field.name(),
                    field.type_name()
                ),
            },
            other if field.proto3_optional() && other != Type::Bytes => {
                panic!("{}: only bytes and messages can be null", field.name())
            }
            Type::Bytes if repeated => "bytes_list",
            Type::Bytes if field.proto3_optional() => "nullable_bytes",
            Type::Bytes => "byte_string",
            Type::String if repeated => "text_list",
            Type::String => "text",
            Type::Bool if !repeated => "boolean",
            Type::Uint32 | Type::Uint64 | Type::Int32 | Type::Int64 if !repeated => "integer",
            other => panic!(
                "{}: no JSON form for a field of type {other:?}",
                field.name()
            ),
        }
    }

    /// The kinds: roles, the `Message` enum, and the pairs of requests and responses.
    fn kinds(&self, out: &mut String) {
        let sent: Vec<(&str, String)> = self
            .kinds
            .value
            .iter()
            .map(|kind| kind.name())
            .filter(|name| self.messages.contains_key(*name))
            .map(|name| (name, rust_type(name)))
            .collect();
        let rows: String = sent
            .iter()
            .map(|(name, rust)| {
                // Payloads that contain a message are large and boxed: an enum is as large as its largest variant.
                let is_large = |field| is_single_message(field) && !is_boxed(field);
                let stored = match self.messages[*name].field.iter().any(is_large) {
                    true => "boxed",
                    false => "plain",
                };
                format!("{name}({rust}, {stored}), {};", self.role(name))
            })
            .collect();
        writeln!(out, "messages! {{ {rows} }}").expect(INFALLIBLE);
        // A macro for code with a case for every hook request.
        let hook_requests: Vec<&str> = sent
            .iter()
            .filter(|(name, _)| is_hook(name) && self.response(name).is_some())
            .map(|(_, rust)| rust.as_str())
            .collect();
        writeln!(
            out,
            "macro_rules! hook_requests {{ ($visit:ident) => {{ $visit! {{ {} }} }} }}
            pub(crate) use hook_requests;",
            hook_requests.join(" ")
        )
        .expect(INFALLIBLE);
        for (name, rust) in &sent {
            if let Some(response) = self.response(name) {
                let response = rust_type(&response);
                writeln!(
                    out,
                    "impl Request for {rust} {{ type Response = {response}; }}"
                )
                .expect(INFALLIBLE);
            }
        }
        for rust in hook_requests {
            writeln!(out, "impl HookRequest for {rust} {{}}").expect(INFALLIBLE);
        }
    }

    /// The name of the response to a request; `None` for other kinds.
    fn response(&self, request: &str) -> Option<String> {
        let mut stem = request.strip_suffix("Request")?;
        loop {
            let response = format!("{stem}Response");
            if self.messages.contains_key(&response) {
                return Some(response);
            }
            let last_word = stem
                .rfind(char::is_uppercase)
                .filter(|start| *start > 0)
                .unwrap_or_else(|| panic!("{request} has no response"));
            stem = &stem[..last_word];
        }
    }

    /// The `Role` of a kind, as Rust.
    fn role(&self, name: &str) -> String {
        let hook = if is_hook(name) { "Hook" } else { "" };
        match self.response(name) {
            Some(response) => format!("Role::{hook}Request(MessageKind::{response})"),
            None if name.ends_with("Response") => format!("Role::{hook}Response"),
            None => "Role::Control".to_owned(),
        }
    }
}

/// The lists and maps that can be null: all of a message with a field `null_lists`.
fn nullable_lists(message: &DescriptorProto) -> Vec<&FieldDescriptorProto> {
    match message.field.iter().any(|field| field.name() == NULL_LISTS) {
        false => Vec::new(),
        true => {
            let lists = message.field.iter();
            lists
                .filter(|field| field.label() == Label::Repeated)
                .collect()
        }
    }
}

fn is_single_message(field: &FieldDescriptorProto) -> bool {
    field.r#type() == Type::Message && field.label() != Label::Repeated
}

/// Whether the struct has a box in place of the message: an extension is rarely there, and makes all others larger.
fn is_boxed(field: &FieldDescriptorProto) -> bool {
    is_single_message(field) && field.number() >= FIRST_EXTENSION
}

fn is_hook(kind: &str) -> bool {
    kind.starts_with("Blockchain")
}

/// Whether the field is a VMInput, whose fields are merged into those of the containing message.
fn is_flattened(field: &FieldDescriptorProto) -> bool {
    field.type_name().ends_with(".VMInput")
}

/// The JSON name: `json_name` where the schema gives one (protox fills in the lowerCamelCase name otherwise).
fn json_name(field: &FieldDescriptorProto) -> String {
    let pascal = pascal_case(field.name());
    let mut default = pascal.clone();
    default[..1].make_ascii_lowercase();
    match field.json_name() {
        "" => pascal,
        name if name == default => pascal,
        name => name.to_owned(),
    }
}

fn pascal_case(name: &str) -> String {
    name.split('_').map(capitalised).collect()
}

fn capitalised(word: &str) -> String {
    let mut word = word.to_owned();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    word
}

/// The name that prost gives a message: `VMOutput` becomes `VmOutput`.
fn rust_type(name: &str) -> String {
    match name.strip_prefix("VM") {
        Some(rest) => format!("Vm{rest}"),
        None => name.to_owned(),
    }
}
