//! The public API, as a text: `docs/public-api.txt` shows in review what a change does to it. To write it anew:
//!
//! ```sh
//! ARWEN_BLESS=1 cargo test --release --test public_api
//! ```
//!
//! It is made of the sources: the public modules of `src/lib.rs` with their public items, those that they re-export from private
//! modules included, without documentation and without what stands in functions.

use quote_of::tokens;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Attribute, Fields, ImplItem, Item, TraitItem, UseTree, Visibility};

/// The list that is committed.
const LIST: &str = "docs/public-api.txt";

#[test]
fn the_public_api_is_the_committed_one() {
    let path = root().join(LIST);
    let found = public_api();
    if std::env::var_os("ARWEN_BLESS").is_some() {
        fs::write(&path, &found).expect("writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let differs = found
        .lines()
        .zip(committed.lines().chain(std::iter::repeat("")));
    let first = differs.enumerate().find(|(_, (found, line))| found != line);
    assert!(
        found == committed,
        "the public API has changed: {LIST} is not what the sources say, first in line {:?}; \
         to accept it: ARWEN_BLESS=1 cargo test --release --test public_api",
        first
            .map(|(index, (found, line))| format!("{}: {found:?} in place of {line:?}", index + 1)),
    );
}

#[test]
fn what_is_private_is_not_listed() {
    let listed = public_api();
    for name in [
        "struct Driver",
        "trait BlockchainHook",
        "trait Machine",
        "struct VmOutput",
    ] {
        assert!(listed.contains(&format!("pub {name}")), "{name}");
    }
    for name in [
        "struct Process",
        "struct Vm ",
        "struct Messenger<",
        "fn panic_text",
        "pub(crate)",
    ] {
        assert!(!listed.contains(name), "{name}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn public_api() -> String {
    let library = Module::of_file(root().join("src/lib.rs"), root().join("src"));
    let mut text = String::new();
    for item in &library.items {
        match item {
            Item::Mod(module) if is_listed(&module.vis, &module.attrs) => {
                let module = library.child(&module.ident.to_string());
                let module = module.expect("a module of the library");
                text += &format!("// {}\n\n", module.path.join("::"));
                text += &print(module.public_items(&library));
                text += "\n";
            }
            Item::Use(used) if is_listed(&used.vis, &used.attrs) => {
                text += &print(vec![Item::Use(used.clone())]);
                text += "\n";
            }
            _ => {}
        }
    }
    text
}

/// A module, read from its file or from where it stands in another.
struct Module {
    /// The names from the library on.
    path: Vec<String>,
    items: Vec<Item>,
    /// Where its child modules have their files.
    folder: PathBuf,
}

impl Module {
    fn of_file(file: PathBuf, folder: PathBuf) -> Module {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        Module {
            path: Vec::new(),
            items: parsed.items.into_iter().flat_map(included).collect(),
            folder,
        }
    }

    /// A module below this one; `None` if there is none of this name.
    fn child(&self, name: &str) -> Option<Module> {
        let declared = self.items.iter().find_map(|item| match item {
            Item::Mod(module) if module.ident == name => Some(module),
            _ => None,
        })?;
        let folder = self.folder.join(name);
        let mut child = match &declared.content {
            Some((_, items)) => Module {
                path: Vec::new(),
                items: items.iter().cloned().flat_map(included).collect(),
                folder,
            },
            None => match self.folder.join(format!("{name}.rs")) {
                file if file.is_file() => Module::of_file(file, folder),
                _ => Module::of_file(folder.join("mod.rs"), folder),
            },
        };
        child.path = self.path.iter().cloned().chain([name.to_owned()]).collect();
        Some(child)
    }

    /// The children that are not only for tests.
    fn children(&self) -> Vec<Module> {
        let names = self.items.iter().filter_map(|item| match item {
            Item::Mod(module) if !is_for_tests(&module.attrs) => Some(module.ident.to_string()),
            _ => None,
        });
        names.filter_map(|name| self.child(&name)).collect()
    }

    /// What a user of the module sees, with the implementations for its types.
    fn public_items(&self, library: &Module) -> Vec<Item> {
        let mut items = Vec::new();
        for item in &self.items {
            match item {
                Item::Use(used) if is_listed(&used.vis, &used.attrs) => {
                    for path in leaves(&used.tree, Vec::new()) {
                        items.extend(self.reexported(&path, library));
                    }
                }
                Item::Mod(module) if is_listed(&module.vis, &module.attrs) => {
                    let child = self.child(&module.ident.to_string());
                    let mut module = module.clone();
                    let content = child.expect("declared").public_items(library);
                    module.content = Some((Default::default(), content));
                    module.semi = None;
                    items.push(bare(Item::Mod(module)));
                }
                item => items.extend(listed(item)),
            }
        }
        let names: BTreeSet<_> = items.iter().flat_map(type_names).collect();
        if self.path.len() == 1 {
            self.implementations(&names, &mut items);
        }
        items
    }

    /// What a re-export names: the item, if a private module has it.
    fn reexported(&self, path: &[String], library: &Module) -> Vec<Item> {
        let text = path.join("::");
        let reference = || syn::parse_str::<Item>(&format!("pub use {text};")).expect("a path");
        let (mut module, names) = match path {
            [first, names @ ..] if first == "crate" => {
                let module = library.child(&names[0]).expect("a module");
                let declared = library.items.iter().any(|item| {
                    matches!(item, Item::Mod(m) if m.ident == names[0] && is_listed(&m.vis, &m.attrs))
                });
                if declared && names[0] != self.path[0] && names.len() == 2 {
                    return vec![reference()];
                }
                (module, &names[1..])
            }
            [first, names @ ..] => match self.child(first) {
                Some(module) => (module, names),
                None => return vec![reference()],
            },
            [] => return Vec::new(),
        };
        let (last, between) = names.split_last().expect("a name behind the module");
        for name in between {
            module = module.child(name).expect("a module");
        }
        if last == "*" {
            return module.public_items(library);
        }
        let found = module
            .items
            .iter()
            .find(|item| item_name(item).as_ref() == Some(last));
        if let Some(found) = found {
            return listed(found);
        }
        // Re-exported once more.
        let uses = module.items.iter().filter_map(|item| match item {
            Item::Use(used) => Some(leaves(&used.tree, Vec::new())),
            _ => None,
        });
        let further = uses.flatten().find(|path| path.last() == Some(last));
        match further {
            Some(path) => module.reexported(&path, library),
            None => vec![reference()],
        }
    }

    /// The implementations for these types, here and below.
    fn implementations(&self, names: &BTreeSet<String>, items: &mut Vec<Item>) {
        for item in &self.items {
            let Item::Impl(found) = item else { continue };
            let of = tokens(&found.self_ty);
            let of = of.split(['<', ' ']).next().unwrap_or_default();
            if !names.contains(of) || is_for_tests(&found.attrs) {
                continue;
            }
            let mut found = found.clone();
            found
                .attrs
                .retain(|attribute| attribute.path().is_ident("cfg"));
            let is_of_trait = found.trait_.is_some();
            found.items = found
                .items
                .into_iter()
                .filter_map(|item| public_part(item, is_of_trait))
                .collect();
            if is_of_trait || !found.items.is_empty() {
                items.push(Item::Impl(found));
            }
        }
        for child in self.children() {
            child.implementations(names, items);
        }
    }
}

/// The items of a generated file in place of what includes it; and what a macro of the messages makes, by name.
fn included(item: Item) -> Vec<Item> {
    let Item::Macro(invoked) = &item else {
        return vec![item];
    };
    if !invoked.mac.path.is_ident("include") {
        return vec![item];
    }
    let text = tokens(&invoked.mac.tokens);
    let file = text.rsplit('"').nth(1).expect("a file name");
    let generated = format!("{}{file}", env!("OUT_DIR"));
    Module::of_file(generated.into(), PathBuf::new()).items
}

/// The paths that a `use` names.
fn leaves(tree: &UseTree, mut before: Vec<String>) -> Vec<Vec<String>> {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            leaves(&path.tree, before)
        }
        UseTree::Name(name) => {
            before.push(name.ident.to_string());
            vec![before]
        }
        UseTree::Rename(name) => {
            before.push(name.rename.to_string());
            vec![before]
        }
        UseTree::Glob(_) => {
            before.push("*".to_owned());
            vec![before]
        }
        UseTree::Group(group) => {
            let trees = group.items.iter();
            trees
                .flat_map(|tree| leaves(tree, before.clone()))
                .collect()
        }
    }
}

fn is_listed(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    let is_hidden = attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("doc") && tokens(attribute).contains("hidden"));
    matches!(visibility, Visibility::Public(_)) && !is_hidden && !is_for_tests(attributes)
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = tokens(attribute);
        attribute.path().is_ident("cfg") && text.contains("test") && !text.contains("feature")
    })
}

/// The item as it is listed; nothing for one that is not public, or that has no name.
fn listed(item: &Item) -> Vec<Item> {
    let (visibility, attributes) = match item {
        Item::Struct(item) => (&item.vis, &item.attrs),
        Item::Enum(item) => (&item.vis, &item.attrs),
        Item::Trait(item) => (&item.vis, &item.attrs),
        Item::Fn(item) => (&item.vis, &item.attrs),
        Item::Const(item) => (&item.vis, &item.attrs),
        Item::Type(item) => (&item.vis, &item.attrs),
        // One row for each message: its variant of the enum `Message`.
        Item::Macro(invoked) if invoked.mac.path.is_ident("messages") => return vec![item.clone()],
        _ => return Vec::new(),
    };
    match is_listed(visibility, attributes) {
        true => vec![bare(item.clone())],
        false => Vec::new(),
    }
}

/// Without documentation, private fields and what stands in functions.
fn bare(mut item: Item) -> Item {
    match &mut item {
        Item::Struct(item) => {
            keep_attributes(&mut item.attrs);
            keep_fields(&mut item.fields);
        }
        Item::Enum(item) => {
            keep_attributes(&mut item.attrs);
            for variant in &mut item.variants {
                keep_attributes(&mut variant.attrs);
                for field in &mut variant.fields {
                    field.attrs.clear();
                }
            }
        }
        Item::Trait(item) => {
            keep_attributes(&mut item.attrs);
            for item in &mut item.items {
                match item {
                    TraitItem::Fn(method) => {
                        keep_attributes(&mut method.attrs);
                        if let Some(default) = &mut method.default {
                            default.stmts.clear();
                        }
                    }
                    TraitItem::Const(item) => keep_attributes(&mut item.attrs),
                    TraitItem::Type(item) => keep_attributes(&mut item.attrs),
                    _ => {}
                }
            }
        }
        Item::Fn(item) => {
            keep_attributes(&mut item.attrs);
            item.block.stmts.clear();
        }
        Item::Const(item) => keep_attributes(&mut item.attrs),
        Item::Type(item) => keep_attributes(&mut item.attrs),
        Item::Mod(item) => keep_attributes(&mut item.attrs),
        _ => {}
    }
    item
}

/// What a user depends on.
fn keep_attributes(attributes: &mut Vec<Attribute>) {
    attributes.retain(|attribute| {
        ["derive", "non_exhaustive", "must_use", "cfg", "repr"]
            .iter()
            .any(|name| attribute.path().is_ident(name))
    });
}

fn keep_fields(fields: &mut Fields) {
    if let Fields::Named(named) = fields {
        let kept = std::mem::take(&mut named.named).into_iter();
        let kept = kept.filter(|field| matches!(field.vis, Visibility::Public(_)));
        named.named = kept
            .map(|mut field| {
                field.attrs.clear();
                field
            })
            .collect();
    }
    for field in fields {
        field.attrs.clear();
    }
}

/// What an implementation gives: of a trait only the types, of a type its public methods.
fn public_part(item: ImplItem, is_of_trait: bool) -> Option<ImplItem> {
    match item {
        ImplItem::Type(mut item) => {
            item.attrs.clear();
            Some(ImplItem::Type(item))
        }
        ImplItem::Fn(mut method) if !is_of_trait && is_listed(&method.vis, &method.attrs) => {
            keep_attributes(&mut method.attrs);
            method.block.stmts.clear();
            Some(ImplItem::Fn(method))
        }
        ImplItem::Const(mut item) if !is_of_trait && is_listed(&item.vis, &item.attrs) => {
            keep_attributes(&mut item.attrs);
            Some(ImplItem::Const(item))
        }
        _ => None,
    }
}

fn item_name(item: &Item) -> Option<String> {
    match item {
        Item::Struct(item) => Some(item.ident.to_string()),
        Item::Enum(item) => Some(item.ident.to_string()),
        Item::Trait(item) => Some(item.ident.to_string()),
        Item::Fn(item) => Some(item.sig.ident.to_string()),
        Item::Const(item) => Some(item.ident.to_string()),
        Item::Type(item) => Some(item.ident.to_string()),
        _ => None,
    }
}

/// The types that an item is or has.
fn type_names(item: &Item) -> Vec<String> {
    match item {
        Item::Struct(_) | Item::Enum(_) => item_name(item).into_iter().collect(),
        Item::Mod(module) => {
            let items = module.content.iter().flat_map(|(_, items)| items);
            items.flat_map(type_names).collect()
        }
        _ => Vec::new(),
    }
}

fn print(items: Vec<Item>) -> String {
    prettyplease::unparse(&syn::File {
        shebang: None,
        attrs: Vec::new(),
        items,
    })
}

mod quote_of {
    use quote::ToTokens;

    /// The source text of a piece of it, with a space between all tokens.
    pub fn tokens(piece: &impl ToTokens) -> String {
        piece.to_token_stream().to_string()
    }
}
