//! From Python's text to a [`Script`].

use miette::Diagnostic;
use thiserror::Error;
use tree_sitter::{Node, Parser};

use super::{Arg, Assigned, Call, Function, Loop, Place, Returned, Scope, Script};

/// Code nested deeper than this was not written by a person; what is deeper is left out.
const DEEPEST: usize = 200;
/// A script larger than this is no script.
const LARGEST: usize = 4 << 20;

/// Why a script could not be read.
#[derive(Debug, Error, Diagnostic)]
pub enum ScriptError {
    /// It is far too large
    #[error("`{file}` has {bytes} bytes, which is no training script")]
    #[diagnostic(help("name the script that has the training loop"))]
    Large {
        /// The file
        file: String,
        /// Its size
        bytes: usize,
    },
    /// The grammar gave no tree
    #[error("`{file}` could not be parsed as Python")]
    #[diagnostic(help("check that it is a Python 3 script in UTF-8"))]
    Unparsed {
        /// The file
        file: String,
    },
}

/// Reads a script. Places that are no Python are kept in [`Script::broken`], and the rest is read around them.
///
/// # Errors
/// It is larger than 4 MB, or there is no tree at all.
pub fn read(file: &str, text: &str) -> Result<Script, ScriptError> {
    if text.len() > LARGEST {
        return Err(ScriptError::Large { file: file.to_owned(), bytes: text.len() });
    }
    let unparsed = || ScriptError::Unparsed { file: file.to_owned() };
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).map_err(|_| unparsed())?;
    let tree = parser.parse(text, None).ok_or_else(unparsed)?;
    let mut reader = Reader { text, script: Script { file: file.to_owned(), ..Script::default() } };
    reader.node(tree.root_node(), &Scope::default(), &[], 0);
    reader.script.broken = broken(tree.root_node());
    Ok(reader.script)
}

/// Places that are no Python, outermost first.
fn broken(root: Node<'_>) -> Vec<Place> {
    let (mut found, mut left) = (Vec::new(), vec![(root, 0)]);
    while let Some((node, depth)) = left.pop() {
        if node.is_error() || node.is_missing() {
            found.push(place(node));
        } else if node.has_error() && depth < DEEPEST {
            let mut cursor = node.walk();
            left.extend(node.children(&mut cursor).map(|child| (child, depth + 1)));
        }
    }
    found.sort_unstable();
    found
}

struct Reader<'a> {
    text: &'a str,
    script: Script,
}

fn place(node: Node<'_>) -> Place {
    let start = node.start_position();
    Place { line: start.row + 1, column: start.column + 1 }
}

impl Reader<'_> {
    /// The text of a node, spaces and line breaks as one space.
    fn words(&self, node: Node<'_>) -> String {
        let text = self.text.get(node.byte_range()).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn field(&self, node: Node<'_>, name: &str) -> String {
        node.child_by_field_name(name).map(|child| self.words(child)).unwrap_or_default()
    }

    /// Names on the left of an assignment, as `self.lr`.
    fn names(&self, node: Node<'_>) -> Vec<String> {
        match node.kind() {
            "pattern_list" | "tuple_pattern" | "list_pattern" | "tuple" | "expression_list" => {
                let mut cursor = node.walk();
                node.named_children(&mut cursor).flat_map(|child| self.names(child)).collect()
            }
            _ => vec![self.words(node)],
        }
    }

    fn children(&mut self, node: Node<'_>, scope: &Scope, to: &[String], depth: usize) {
        let mut cursor = node.walk();
        let children: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
        for child in children {
            self.node(child, scope, to, depth + 1);
        }
    }

    fn node(&mut self, node: Node<'_>, scope: &Scope, to: &[String], depth: usize) {
        if depth > DEEPEST {
            return;
        }
        match node.kind() {
            "comment" | "string" => {}
            "call" => self.call(node, scope, to, depth),
            "for_statement" | "while_statement" => self.a_loop(node, scope, depth),
            "function_definition" => self.function(node, scope, depth),
            "decorated_definition" => {
                let quiet = scope.quiet || self.decorators(node);
                self.children(node, &Scope { quiet, ..scope.clone() }, &[], depth);
            }
            "class_definition" => {
                let class = Some(self.field(node, "name"));
                self.children(node, &Scope { class, ..scope.clone() }, &[], depth);
            }
            "with_statement" => {
                let quiet = scope.quiet || self.switches_off(node);
                self.children(node, &Scope { quiet, ..scope.clone() }, &[], depth);
            }
            "if_statement" | "elif_clause" | "else_clause" | "except_clause" | "conditional_expression" => {
                self.children(node, &Scope { conditional: true, ..scope.clone() }, to, depth);
            }
            "assignment" | "augmented_assignment" => self.assignment(node, scope, depth),
            "return_statement" => {
                let value = node.named_child(0).map(|child| self.words(child)).unwrap_or_default();
                self.script.returned.push(Returned { value, at: place(node), scope: scope.clone() });
                self.children(node, scope, &[], depth);
            }
            _ => self.children(node, scope, to, depth),
        }
    }

    fn call(&mut self, node: Node<'_>, scope: &Scope, to: &[String], depth: usize) {
        let mut args = Vec::new();
        if let Some(list) = node.child_by_field_name("arguments") {
            let mut cursor = list.walk();
            if list.kind() == "generator_expression" {
                args.push(Arg { name: None, text: self.words(list) });
            } else {
                for child in list.named_children(&mut cursor).filter(|child| child.kind() != "comment") {
                    args.push(match child.kind() {
                        "keyword_argument" => {
                            Arg { name: Some(self.field(child, "name")), text: self.field(child, "value") }
                        }
                        _ => Arg { name: None, text: self.words(child) },
                    });
                }
            }
        }
        let callee = self.field(node, "function");
        let (at, scope_of) = (place(node), scope.clone());
        self.script.calls.push(Call { callee, args, to: to.to_vec(), at, scope: scope_of });
        self.children(node, scope, to, depth);
    }

    fn a_loop(&mut self, node: Node<'_>, scope: &Scope, depth: usize) {
        let (target, over) = match node.kind() {
            "for_statement" => (self.field(node, "left"), self.field(node, "right")),
            _ => (String::new(), self.field(node, "condition")),
        };
        self.script.loops.push(Loop { target, over, at: place(node), scope: scope.clone() });
        let mut inside = scope.clone();
        inside.loops.push(self.script.loops.len() - 1);
        let mut cursor = node.walk();
        let children: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
        let body = node.child_by_field_name("body");
        for child in children {
            // what is gone over is made once
            let scope = if Some(child) == body { &inside } else { scope };
            self.node(child, scope, &[], depth + 1);
        }
    }

    fn function(&mut self, node: Node<'_>, scope: &Scope, depth: usize) {
        let mut parameters = Vec::new();
        if let Some(list) = node.child_by_field_name("parameters") {
            let mut cursor = list.walk();
            for child in list.named_children(&mut cursor) {
                let name = child.child_by_field_name("name").or_else(|| match child.kind() {
                    "identifier" => Some(child),
                    _ => child.named_child(0),
                });
                parameters.extend(name.map(|name| self.words(name)));
            }
        }
        let name = self.field(node, "name");
        self.script.functions.push(Function { name, parameters, at: place(node), scope: scope.clone() });
        let function = Some(self.script.functions.len() - 1);
        // a function is run where it is called, not where it is written
        let inside = Scope { loops: Vec::new(), function, conditional: false, ..scope.clone() };
        self.children(node, &inside, &[], depth);
    }

    fn assignment(&mut self, node: Node<'_>, scope: &Scope, depth: usize) {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
        else {
            return self.children(node, scope, &[], depth);
        };
        let names = self.names(left);
        let value = self.words(right);
        let added = node.kind() == "augmented_assignment";
        for name in &names {
            let (name, value) = (name.clone(), value.clone());
            self.script.assigned.push(Assigned { name, value, added, at: place(node), scope: scope.clone() });
        }
        self.node(left, scope, &[], depth + 1);
        self.node(right, scope, &names, depth + 1);
    }

    /// Whether a decorator switches gradients off.
    fn decorators(&self, node: Node<'_>) -> bool {
        let mut cursor = node.walk();
        node.named_children(&mut cursor)
            .filter(|child| child.kind() == "decorator")
            .any(|child| quiet(&self.words(child)))
    }

    /// Whether a `with` switches gradients off.
    fn switches_off(&self, node: Node<'_>) -> bool {
        let mut cursor = node.walk();
        node.named_children(&mut cursor)
            .filter(|child| child.kind() == "with_clause")
            .any(|child| quiet(&self.words(child)))
    }
}

fn quiet(text: &str) -> bool {
    text.contains("no_grad(") || text.contains("inference_mode(") || text.contains("set_grad_enabled(False)")
}
