//! Trace contexts as they travel in headers: `traceparent` and `tracestate` of the W3C.

use http::{HeaderMap, HeaderValue};

pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";

/// The longest `tracestate` that is passed on, in bytes, and its most members: what the W3C asks for at least.
const LONGEST_STATE: usize = 512;
const MOST_MEMBERS: usize = 32;

/// What a caller says of its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) trace_id: [u8; 16],
    /// The caller's span.
    pub(super) parent_id: [u8; 8],
    /// The caller traces it.
    pub(super) sampled: bool,
    /// As it was sent; belongs to other vendors.
    pub(super) state: Option<HeaderValue>,
}

impl Context {
    /// The context in `headers`; none where there is none, more than one, or one that is malformed. A malformed state is
    /// left out.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(TRACEPARENT).iter();
        let (line, more) = (lines.next()?, lines.next());
        if more.is_some() {
            return None;
        }
        let (trace_id, parent_id, flags) = parse(line.as_bytes())?;
        Some(Self { trace_id, parent_id, sampled: flags & 1 == 1, state: state(headers) })
    }
}

/// The ids and flags of a `traceparent`. A version after 00 may say more after them.
fn parse(line: &[u8]) -> Option<([u8; 16], [u8; 8], u8)> {
    let (known, rest) = line.split_at_checked(55)?;
    let dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
    let [version] = hex(&known[..2])?;
    let goes_on = if version == 0 { rest.is_empty() } else { matches!(rest, [] | [b'-', ..]) };
    let (trace_id, parent_id) = (hex(&known[3..35])?, hex(&known[36..52])?);
    let [flags] = hex(&known[53..])?;
    let sound = dashes && goes_on && version != 0xff && trace_id != [0; 16] && parent_id != [0; 8];
    sound.then_some((trace_id, parent_id, flags))
}

/// Bytes from hex digits in lower case.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// The `tracestate`, its lines joined; none where it is malformed or too long.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines: Vec<_> = headers.get_all(TRACESTATE).iter().map(HeaderValue::as_bytes).collect();
    let joined = lines.join(&b","[..]);
    let members = || joined.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|one| !one.is_empty());
    let sound = joined.len() <= LONGEST_STATE
        && (1..=MOST_MEMBERS).contains(&members().count())
        && members().all(is_member);
    if sound { HeaderValue::from_bytes(&joined).ok() } else { None }
}

/// `key=value`: the key of small letters, digits and `_-*/@`, the value of visible characters but `,` and `=`.
fn is_member(member: &[u8]) -> bool {
    let Some(at) = member.iter().position(|byte| *byte == b'=') else { return false };
    let (key, value) = (&member[..at], &member[at + 1..]);
    let of_key = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte);
    let of_value = |byte: &u8| matches!(*byte, b' '..=b'~') && *byte != b'=';
    (1..=256).contains(&key.len())
        && key.iter().all(of_key)
        && !key[0].is_ascii_punctuation()
        && (1..=256).contains(&value.len())
        && value.iter().all(of_value)
}

/// The `traceparent` of a call that we make.
pub(super) fn traceparent(trace_id: [u8; 16], span_id: [u8; 8], sampled: bool) -> String {
    let flags = if sampled { "01" } else { "00" };
    format!("00-{}-{}-{flags}", in_hex(&trace_id), in_hex(&span_id))
}

/// In hex digits, as ids are written everywhere.
pub(super) fn in_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    bytes.iter().flat_map(digits).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(parent: &str, state: &[&str]) -> Option<Context> {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_str(parent).unwrap());
        for line in state {
            headers.append(TRACESTATE, HeaderValue::from_str(line).unwrap());
        }
        Context::read(&headers)
    }

    #[test]
    fn a_context_of_the_w3c_is_understood() {
        let context = read(GOOD, &["congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7"]).unwrap();
        assert_eq!(in_hex(&context.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(in_hex(&context.parent_id), "00f067aa0ba902b7");
        assert!(context.sampled);
        assert_eq!(context.state.unwrap(), "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
        assert!(!read(&GOOD.replace("-01", "-00"), &[]).unwrap().sampled);
        assert!(read(&GOOD.replace("-01", "-03"), &[]).unwrap().sampled);
        assert!(read(&GOOD.replacen("00-", "cc-", 1), &[]).is_some());
        assert!(read(&(GOOD.replacen("00-", "cc-", 1) + "-more"), &[]).is_some());
    }

    #[test]
    fn a_malformed_context_is_none() {
        for wrong in [
            "",
            "00",
            &GOOD.to_uppercase(),
            &GOOD.replace("4bf9", "4BF9"),
            &GOOD.replace('-', "_"),
            &GOOD.replacen("00-", "ff-", 1),
            &format!("{GOOD}-more"),
            &format!("{GOOD}0"),
            &format!(" {GOOD}"),
            &format!("cc{}more", &GOOD[2..]),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace("-01", "-0g"),
        ] {
            assert_eq!(read(wrong, &[]), None, "{wrong:?}");
        }
        let mut twice = HeaderMap::new();
        twice.append(TRACEPARENT, HeaderValue::from_static(GOOD));
        twice.append(TRACEPARENT, HeaderValue::from_static(GOOD));
        assert_eq!(Context::read(&twice), None);
    }

    #[test]
    fn a_malformed_state_is_left_out() {
        let state = |line: &str| read(GOOD, &[line]).unwrap().state;
        assert!(state("a=1, b@c=x y,").is_some());
        for wrong in [
            "a",
            "=1",
            "A=1",
            "a=",
            "a=b=c",
            "a=\u{e9}",
            &"a=1,".repeat(33),
            &format!("a={}", "x".repeat(600)),
        ] {
            assert_eq!(state(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(trace_id: [u8; 16], span_id: [u8; 8], sampled: bool) {
            prop_assume!(trace_id != [0; 16] && span_id != [0; 8]);
            let line = traceparent(trace_id, span_id, sampled);
            prop_assert_eq!(parse(line.as_bytes()), Some((trace_id, span_id, u8::from(sampled))));
        }

        #[test]
        fn any_bytes_can_be_read(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line);
        }
    }
}
