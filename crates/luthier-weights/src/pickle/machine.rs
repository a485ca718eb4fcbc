//! The stack machine: one instruction after the other, from bytes to values.

use super::{Heap, Value, global};
use crate::error::{Fault, Sound, shown, tampered};
use std::collections::HashMap;

/// Steps one file may take. A tensor costs about 40: this is room for 250 000 of them, and bounds what a
/// hostile file can make the machine remember to some hundred megabytes.
const STEPS: usize = 10_000_000;

/// Reads pickles, one after the other, from the start of `input`.
pub(crate) struct Machine<'a> {
    input: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    steps: usize,
    /// What the pickles built so far.
    pub(crate) heap: Heap<'a>,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            steps: 0,
            heap: Heap::default(),
        }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Runs the next pickle and returns its value.
    pub(crate) fn run(&mut self) -> Sound<Value<'a>> {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        loop {
            self.spend(1)?;
            let begin = self.at;
            let [instruction] = self.array()?;
            if instruction == b'.' {
                return self.pop();
            }
            self.step(instruction, begin)?;
        }
    }

    fn step(&mut self, instruction: u8, begin: usize) -> Sound<()> {
        match instruction {
            // the frame of a pickle
            0x80 => match self.array()? {
                [0..=5] => {}
                [other] => return Err(Fault::Unsupported(format!("a pickle of protocol {other}"))),
            },
            0x95 => drop(self.array::<8>()?),

            // atoms
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()));
            }
            b'K' => {
                let [value] = self.array()?;
                self.push(Value::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()));
            }
            0x8a | 0x8b => {
                let bytes = if instruction == 0x8a { self.counted::<1>()? } else { self.counted::<4>()? };
                self.push(integer(bytes));
            }
            b'G' => {
                self.array::<8>()?;
                self.push(Value::Float);
            }
            0x8c => self.text::<1>()?,
            b'X' => self.text::<4>()?,
            0x8d => self.text::<8>()?,
            b'U' => self.python2_text::<1>()?,
            b'T' => self.python2_text::<4>()?,
            b'C' => self.bytes::<1>()?,
            b'B' => self.bytes::<4>()?,
            0x8e | 0x96 => self.bytes::<8>()?,

            // the stack and the memo
            b'(' => self.marks.push(self.stack.len()),
            b'0' if self.marks.last() == Some(&self.stack.len()) => drop(self.marks.pop()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => self.push(self.top()?),
            b'q' => {
                let [index] = self.array()?;
                self.remember(index.into())?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.array()?);
                self.remember(index)?;
            }
            0x94 => {
                let index = u32::try_from(self.memo.len()).unwrap_or(u32::MAX);
                self.remember(index)?;
            }
            b'h' => {
                let [index] = self.array()?;
                self.recall(index.into())?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.array()?);
                self.recall(index)?;
            }

            // containers
            b')' => self.tuple(Vec::new()),
            b't' => {
                let items = self.pop_to_mark()?;
                self.tuple(items);
            }
            0x85..=0x87 => {
                let mut items = vec![Value::None; usize::from(instruction - 0x84)];
                for item in items.iter_mut().rev() {
                    *item = self.pop()?;
                }
                self.tuple(items);
            }
            b']' => self.list(Vec::new()),
            b'l' => {
                let items = self.pop_to_mark()?;
                self.list(items);
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(&items)?;
            }
            b'}' => drop(self.dict()),
            b'd' => {
                let items = self.pop_to_mark()?;
                self.dict();
                self.set_items(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            // sets: weights need none, but a checkpoint may carry some along
            0x8f => self.push(Value::Other),
            0x90 => drop(self.pop_to_mark()?),
            0x91 => {
                self.pop_to_mark()?;
                self.push(Value::Other);
            }

            // names and calls
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(global::find(module, name)?));
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Str(name), Value::Str(module)) => {
                    self.push(Value::Global(global::find(module, name)?));
                }
                _ => return tampered(format!("it names something by other than strings at byte {begin}")),
            },
            b'R' => {
                let args = self.pop()?;
                let callable = self.pop()?;
                let value = self.call(callable, args)?;
                self.push(value);
            }
            0x81 | 0x92 => {
                if instruction == 0x92 {
                    self.pop()?;
                }
                let args = self.pop()?;
                let class = self.pop()?;
                let value = self.create(class, args)?;
                self.push(value);
            }
            b'b' => {
                self.pop()?;
                match self.top()? {
                    // the attributes of an OrderedDict: torch keeps its `_metadata` so
                    Value::Dict(_) => {}
                    other => return Err(Fault::Forbidden(format!("__setstate__ of {}", other.kind()))),
                }
            }
            b'Q' => {
                let id = self.pop()?;
                let value = self.persistent(id)?;
                self.push(value);
            }
            // both call a class directly, whatever it is
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                return Err(Fault::Forbidden(format!("{}.{}", shown(module), shown(name))));
            }
            b'o' => return Err(Fault::Forbidden("OBJ".to_owned())),
            0x82..=0x84 => return Err(Fault::Forbidden("copyreg's extension registry".to_owned())),
            0x97 | 0x98 => return Err(Fault::Unsupported("a pickle with out-of-band buffers".to_owned())),
            b'I' | b'L' | b'F' | b'V' | b'S' | b'g' | b'p' | b'P' => {
                return Err(Fault::Unsupported("a pickle of protocol 0".to_owned()));
            }
            other => return tampered(format!("0x{other:02x} at byte {begin} is no pickle instruction")),
        }
        Ok(())
    }

    /// Counts work done, and ends it where a file asks for too much.
    pub(super) fn spend(&mut self, steps: usize) -> Sound<()> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > STEPS {
            return tampered(format!("its pickle takes more than {STEPS} steps"));
        }
        Ok(())
    }

    pub(super) fn push(&mut self, value: Value<'a>) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> Sound<Value<'a>> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    /// Not below the last mark: Python's machine keeps one stack per mark.
    fn top(&self) -> Sound<Value<'a>> {
        match self.stack.get(self.marks.last().copied().unwrap_or(0)..).unwrap_or(&[]) {
            [.., value] => Ok(*value),
            [] => tampered(format!("its pickle takes from an empty stack before byte {}", self.at)),
        }
    }

    fn pop_to_mark(&mut self) -> Sound<Vec<Value<'a>>> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => tampered(format!("its pickle misses a mark before byte {}", self.at)),
        }
    }

    fn remember(&mut self, index: u32) -> Sound<()> {
        let value = self.top()?;
        self.memo.insert(index, value);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Sound<()> {
        match self.memo.get(&index).copied() {
            Some(value) => self.push(value),
            None => return tampered(format!("its pickle recalls entry {index}, which it never stored")),
        }
        Ok(())
    }

    fn tuple(&mut self, items: Vec<Value<'a>>) {
        self.push(Value::Tuple(self.heap.sequences.len()));
        self.heap.sequences.push(items);
    }

    fn list(&mut self, items: Vec<Value<'a>>) {
        self.push(Value::List(self.heap.sequences.len()));
        self.heap.sequences.push(items);
    }

    /// Pushes a new dict.
    fn dict(&mut self) -> Value<'a> {
        let value = self.new_dict();
        self.push(value);
        value
    }

    pub(super) fn new_dict(&mut self) -> Value<'a> {
        self.heap.dicts.push(Vec::new());
        Value::Dict(self.heap.dicts.len() - 1)
    }

    fn append(&mut self, items: &[Value<'a>]) -> Sound<()> {
        let list = match self.top()? {
            Value::List(id) => self.heap.sequences.get_mut(id),
            _ => None,
        };
        let Some(list) = list else {
            return tampered(format!("its pickle appends to no list before byte {}", self.at));
        };
        list.extend_from_slice(items);
        Ok(())
    }

    fn set_items(&mut self, items: &[Value<'a>]) -> Sound<()> {
        let dict = match self.top()? {
            Value::Dict(id) => self.heap.dicts.get_mut(id),
            _ => None,
        };
        let (Some(dict), (pairs, [])) = (dict, items.as_chunks::<2>()) else {
            return tampered(format!("its pickle fills no dict before byte {}", self.at));
        };
        dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        Ok(())
    }

    fn slice(&mut self, len: usize) -> Sound<&'a [u8]> {
        let found = self.at.checked_add(len).and_then(|end| self.input.get(self.at..end));
        let Some(found) = found else {
            return Err(Fault::Truncated(format!(
                "it ends after {} bytes, within its pickle",
                self.input.len()
            )));
        };
        self.at += len;
        Ok(found)
    }

    fn array<const N: usize>(&mut self) -> Sound<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(N)?);
        Ok(array)
    }

    /// Bytes behind their number, itself of `N` bytes.
    fn counted<const N: usize>(&mut self) -> Sound<&'a [u8]> {
        let mut count = [0; 8];
        count[..N].copy_from_slice(&self.array::<N>()?);
        self.slice(usize::try_from(u64::from_le_bytes(count)).unwrap_or(usize::MAX))
    }

    fn text<const N: usize>(&mut self) -> Sound<()> {
        let bytes = self.counted::<N>()?;
        let Ok(text) = std::str::from_utf8(bytes) else {
            return tampered(format!("the string before byte {} is not UTF-8", self.at));
        };
        self.push(Value::Str(text));
        Ok(())
    }

    /// Python 2 wrote text and bytes alike, and many published weights are of its time.
    fn python2_text<const N: usize>(&mut self) -> Sound<()> {
        let bytes = self.counted::<N>()?;
        self.push(std::str::from_utf8(bytes).map_or(Value::Bytes, Value::Str));
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> Sound<()> {
        self.counted::<N>()?;
        self.push(Value::Bytes);
        Ok(())
    }

    fn line(&mut self) -> Sound<&'a str> {
        let rest = self.input.get(self.at..).unwrap_or(&[]);
        let len = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = self.slice(len)?;
        self.slice(1)?;
        std::str::from_utf8(line)
            .or_else(|_| tampered(format!("the name before byte {} is not UTF-8", self.at)))
    }
}

/// Python's integers: little-endian, two's complement, as few bytes as it takes.
fn integer(bytes: &[u8]) -> Value<'_> {
    let Some(last) = bytes.last() else { return Value::Int(0) };
    if bytes.len() > 8 {
        return Value::Long(bytes);
    }
    let mut full = if *last < 0x80 { [0; 8] } else { [0xff; 8] };
    full[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(full))
}
