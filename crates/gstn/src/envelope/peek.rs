//! A look at the head of a reply that is not to be parsed: only `status_cd` and `error.error_cd`.
//!
//! The gateway passes replies on as they are, up to hundreds of megabytes, and wants to know no more than
//! whether GSTN was content. So this scans, keeps two short values, and leaves every other byte alone.

use super::StatusCd;

/// What the head of a reply tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peek {
    /// The outcome, if the head reaches that far.
    pub status_cd: Option<StatusCd>,
    /// The error's code, if the call failed, the code has up to 64 bytes and the head reaches that far.
    pub error_cd: Option<String>,
}

/// Looks for `status_cd` and `error.error_cd` in `head`: a JSON object, or its beginning.
///
/// Only keys of the outermost object and of its `error` count, in any order and spelling JSON allows; the
/// first of two equal keys wins. Anything may follow or be cut off. What is no JSON object tells nothing. A
/// success ends the look at once, for payloads are long and a success has no error code.
pub fn peek(head: &[u8]) -> Peek {
    let mut found = Peek::default();
    let mut scanner = Scanner::of(head);
    // A head that ends early ends the scan; what was found until then stands.
    let _ = scanner.reply(&mut found);
    if found.is_success() {
        found.error_cd = None;
    }
    found
}

/// After how many minutes a taxpayer's session lapses, as the head of a successful reply to `authenticate` tells in
/// `expiry`: a number, or a text of digits.
///
/// Looked for as by [`peek`]. The token beside it is passed over and not kept.
pub fn peek_expiry(head: &[u8]) -> Option<u32> {
    let mut found = None;
    let mut scanner = Scanner::of(head);
    let _ = scanner.object(|scanner, key| {
        if key != "expiry" {
            return scanner.skip_value();
        }
        found = scanner.value()?.and_then(|word| word.text()?.parse().ok());
        None
    });
    found
}

impl Peek {
    /// Whether the outcome is known to be a success.
    pub fn is_success(&self) -> bool {
        self.status_cd.is_some_and(StatusCd::is_success)
    }
}

const LONGEST_VALUE: usize = 64;

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A text or a bare word of JSON, decoded, if it is short.
struct Word {
    bytes: [u8; LONGEST_VALUE],
    len: usize,
    fits: bool,
}

impl<'a> Scanner<'a> {
    fn of(head: &'a [u8]) -> Self {
        Self { bytes: head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head), at: 0 }
    }
}

impl Scanner<'_> {
    /// The outermost object. `None` once the head ends or nothing more can be learnt.
    fn reply(&mut self, found: &mut Peek) -> Option<()> {
        self.object(|scanner, key| {
            match key {
                "status_cd" if found.status_cd.is_none() => {
                    found.status_cd = scanner.value()?.and_then(|word| StatusCd::read(word.text()?));
                }
                "error" if found.error_cd.is_none() && scanner.next()? == b'{' => scanner.error(found)?,
                _ => scanner.skip_value()?,
            }
            let is_open = found.status_cd.is_none() || found.error_cd.is_none();
            (is_open && !found.is_success()).then_some(())
        })
    }

    fn error(&mut self, found: &mut Peek) -> Option<()> {
        self.object(|scanner, key| {
            if key == "error_cd" && found.error_cd.is_none() {
                found.error_cd = scanner.value()?.and_then(|word| word.text().map(str::to_owned));
                Some(())
            } else {
                scanner.skip_value()
            }
        })
    }

    /// An object: `member` is called at each value with its key, and must consume the value.
    fn object(&mut self, mut member: impl FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.next()? == b'}' {
            return self.expect(b'}');
        }
        loop {
            if self.next()? != b'"' {
                return None;
            }
            let key = self.text()?;
            self.expect(b':')?;
            member(self, key.text().unwrap_or_default())?;
            match self.next()? {
                b',' => self.at += 1,
                b'}' => return self.expect(b'}'),
                _ => return None,
            }
        }
    }

    /// The next byte that is not blank, which stays to be read.
    fn next(&mut self) -> Option<u8> {
        let blanks = self
            .bytes
            .get(self.at..)?
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))?;
        self.at += blanks;
        Some(self.bytes[self.at])
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        let found = self.next()? == byte;
        self.at += usize::from(found);
        found.then_some(())
    }

    /// The next value if it is a text or a number; other values are skipped.
    fn value(&mut self) -> Option<Option<Word>> {
        match self.next()? {
            b'"' => self.text().map(Some),
            b'-' | b'0'..=b'9' => {
                let word = Word::copied(self.bare_word()?);
                Some(Some(word))
            }
            _ => self.skip_value().map(|()| None),
        }
    }

    /// A number, `true`, `false` or `null`; none if the head ends in it.
    fn bare_word(&mut self) -> Option<&[u8]> {
        let rest = self.bytes.get(self.at..)?;
        let len = rest
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')))?;
        if len == 0 {
            return None;
        }
        self.at += len;
        Some(&rest[..len])
    }

    fn skip_value(&mut self) -> Option<()> {
        match self.next()? {
            b'"' => self.skip_text(),
            b'{' | b'[' => self.skip_nested(),
            _ => self.bare_word().map(|_| ()),
        }
    }

    /// An object or a list, to its end, however deep.
    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            let rest = self.bytes.get(self.at..)?;
            self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))?;
            match self.bytes[self.at] {
                b'"' => {
                    self.skip_text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                _ => depth -= 1,
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// A text, to its closing quotation mark.
    fn skip_text(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let rest = self.bytes.get(self.at..)?;
            self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Some(());
            }
            self.at += 2;
        }
    }

    /// A text, decoded as far as it is short.
    fn text(&mut self) -> Option<Word> {
        let start = self.at + 1;
        self.skip_text()?;
        Some(Word::decoded(&self.bytes[start..self.at - 1]))
    }
}

impl Word {
    const EMPTY: Self = Self { bytes: [0; LONGEST_VALUE], len: 0, fits: true };

    fn copied(bytes: &[u8]) -> Self {
        let mut word = Self::EMPTY;
        word.push(bytes);
        word
    }

    fn decoded(raw: &[u8]) -> Self {
        let mut word = Self::EMPTY;
        let mut rest = raw;
        while word.fits && !rest.is_empty() {
            let plain = rest.iter().position(|byte| *byte == b'\\').unwrap_or(rest.len());
            word.push(&rest[..plain]);
            rest = word.push_escape(&rest[plain..]);
        }
        word
    }

    /// Takes the escape at the front of `rest`, if one is there, and gives back what follows.
    fn push_escape<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let Some(kind) = rest.get(1) else { return &[] };
        let simple = match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let (character, after) = escaped_character(&rest[2..]);
                match character {
                    Some(character) => self.push(character.encode_utf8(&mut [0; 4]).as_bytes()),
                    None => self.fits = false,
                }
                return after;
            }
            other => *other,
        };
        self.push(&[simple]);
        &rest[2..]
    }

    fn push(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.len..self.len + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.fits = false,
        }
    }

    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes[..self.len]).ok().filter(|_| self.fits)
    }
}

/// The character whose hexadecimal digits stand behind `\u`, perhaps as a pair of surrogates, and what follows.
fn escaped_character(rest: &[u8]) -> (Option<char>, &[u8]) {
    let unit = |digits: &[u8]| u32::from_str_radix(std::str::from_utf8(digits.get(..4)?).ok()?, 16).ok();
    let Some(first) = unit(rest) else { return (None, &[]) };
    let after = &rest[4..];
    if !(0xd800..0xdc00).contains(&first) {
        return (char::from_u32(first), after);
    }
    let second = after.strip_prefix(b"\\u").and_then(unit).filter(|second| (0xdc00..0xe000).contains(second));
    let Some(second) = second else { return (None, after) };
    (char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)), &after[6..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn told(status_cd: Option<StatusCd>, error_cd: Option<&str>) -> Peek {
        Peek { status_cd, error_cd: error_cd.map(str::to_owned) }
    }

    #[test]
    fn a_reply_is_read_whatever_its_spelling() {
        let failure = told(Some(StatusCd::Zero), Some("AUTH4033"));
        for reply in [
            r#"{"status_cd":"0","error":{"message":"Invalid Session","error_cd":"AUTH4033"}}"#,
            r#" { "error" : { "error_cd" : "AUTH4033" , "message" : "x" } , "status_cd" : 0 } "#,
            "\u{feff}{\n\t\"status_desc\": [1, {\"status_cd\": \"1\"}, \"]\"],\r\n\"error\":{\"error_cd\":\"AUTH4033\"},\"status_cd\":\"0\"}",
            r#"{"\u0073tatus_cd":"\u0030","error":{"error\u005fcd":"AUTH\u0034033"}}"#,
            r#"{"status_cd":"0","error":{"x":{"error_cd":"NO"},"error_cd":"AUTH4033"}}trailing"#,
            r#"{"a":"\\\"}{","status_cd":"0","error":{"error_cd":"AUTH4033"}}"#,
        ] {
            assert_eq!(peek(reply.as_bytes()), failure, "{reply}");
        }
    }

    #[test]
    fn only_the_two_places_count() {
        let success = told(Some(StatusCd::One), None);
        for reply in [
            r#"{"data":{"status_cd":"0","error":{"error_cd":"NO"}},"status_cd":"1"}"#,
            r#"{"data":"{\"status_cd\":\"0\"}","status_cd":"1","error_cd":"NO"}"#,
            r#"{"list":[{"error":{"error_cd":"NO"}}],"status_cd":1,"error":"text"}"#,
            r#"{"status_cd":"1","error":null}"#,
            r#"{"status_cd":"1","error":{"error_cd":{"error_cd":"NO"}}}"#,
        ] {
            assert_eq!(peek(reply.as_bytes()), success, "{reply}");
        }
        assert_eq!(peek(br#"[{"status_cd":"1"}]"#), Peek::default());
        assert_eq!(peek(br#"{"status_cd":"P"}"#), Peek::default());
        assert_eq!(peek(b"<html>status_cd</html>"), Peek::default());
        assert_eq!(peek(b""), Peek::default());
    }

    #[test]
    fn a_head_that_is_cut_off_tells_what_it_holds() {
        let reply = format!(r#"{{"status_cd":"1","data":"{}"#, "QUJD".repeat(10_000));
        assert_eq!(peek(reply.as_bytes()), told(Some(StatusCd::One), None));
        assert_eq!(
            peek(br#"{"status_cd":"0","error":{"error_cd":"AUTH40"#),
            told(Some(StatusCd::Zero), None)
        );
        assert_eq!(peek(br#"{"status_cd":1"#), Peek::default(), "the number may go on");
    }

    #[test]
    fn an_endless_code_is_not_kept() {
        let reply = format!(r#"{{"error":{{"error_cd":"{}"}},"status_cd":"0"}}"#, "A".repeat(65));
        assert_eq!(peek(reply.as_bytes()), told(Some(StatusCd::Zero), None));
    }

    #[test]
    fn the_expiry_of_a_session_is_read_in_either_form() {
        for (reply, minutes) in [
            (
                r#"{"status_cd":"1","auth_token":"8a227e0ba56042a0acdf98b3477d2c03","expiry":"360","sek":"x"}"#,
                Some(360),
            ),
            (r#"{"expiry":120,"status_cd":"1"}"#, Some(120)),
            ("\u{feff}{ \"sek\" : \"\\\"expiry\\\":\\\"9\\\"\" , \"\\u0065xpiry\" : \"\\u0036\" }", Some(6)),
            (r#"{"data":{"expiry":7},"status_cd":"1"}"#, None),
            (r#"{"status_cd":"1","expiry":"six hours"}"#, None),
            (r#"{"status_cd":"1","expiry":-1}"#, None),
            (r#"{"status_cd":"1","expiry":null}"#, None),
            (r#"{"status_cd":"1","expiry":36"#, None),
            (r#"[{"expiry":1}]"#, None),
            ("", None),
        ] {
            assert_eq!(peek_expiry(reply.as_bytes()), minutes, "{reply}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[01A-Z\"\\\\{}\\[\\]:, é😀\u{1}]{0,8}".prop_map(Value::from),
        ];
        let key = prop_oneof![Just("status_cd"), Just("error"), Just("error_cd"), Just("a\"}"), Just("\\")];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn by_parsing(value: &Value) -> Peek {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let field = |name: &str| value.as_object().and_then(|object| object.get(name));
        let status_cd = field("status_cd").and_then(text).and_then(|text| StatusCd::read(&text));
        let error_cd = field("error").and_then(Value::as_object).and_then(|error| error.get("error_cd"));
        let is_success = status_cd.is_some_and(StatusCd::is_success);
        Peek { status_cd, error_cd: error_cd.and_then(text).filter(|_| !is_success) }
    }

    proptest! {
        #[test]
        fn a_whole_document_tells_what_parsing_it_would(value in any_json(), indented in any::<bool>()) {
            let bytes = if indented { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
            prop_assert_eq!(peek(&bytes), by_parsing(&value));
        }

        #[test]
        fn a_prefix_never_contradicts_the_whole(error_cd in "[A-Z0-9_-]{1,12}", status in 0u8..4, cut in 0usize..80) {
            let whole = json!({"x": [1, "y"], "error": {"error_cd": error_cd, "message": "m"}, "status_cd": status.to_string()});
            let bytes = serde_json::to_vec(&whole).unwrap();
            let (told, all) = (peek(&bytes[..cut.min(bytes.len())]), peek(&bytes));
            prop_assert!(told.status_cd.is_none() || told.status_cd == all.status_cd);
            prop_assert!(told.error_cd.is_none() || all.is_success() || told.error_cd == all.error_cd);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            peek(&bytes);
            peek_expiry(&bytes);
        }

        #[test]
        fn nothing_that_looks_like_json_makes_it_panic(text in "(\\{|\\}|\\[|\\]|\"|:|,|\\\\|\\\\u|d83d|0|status_cd|\"error\":|\"error_cd\":| ){0,40}") {
            peek(text.as_bytes());
            peek_expiry(text.as_bytes());
        }
    }
}
