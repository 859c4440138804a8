//! A request on its way out: its head and the first piece of its body in one write, the rest as fast as GSTN takes it.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::Method;
use http_body::Body;
use tokio::io::AsyncWrite;

/// A request on its way out.
pub(crate) struct Outgoing<B> {
    /// To be written before `piece`: the head, or what stands between two chunks.
    before: Vec<u8>,
    /// How many bytes of it are written.
    written: usize,
    piece: Bytes,
    /// To be written after `piece`.
    after: &'static [u8],
    marks: Marks,
    /// `None` when all of it was taken.
    body: Option<B>,
    bodiless_answer: bool,
    begun: bool,
    flushed: bool,
}

/// How the end of the body is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    /// By its length, of which so much is left.
    Length(u64),
    Chunks,
}

/// Why a request cannot go on.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Its body broke off.
    Broken,
    /// Its body is not as long as it said.
    Length,
    /// It cannot be written.
    Io(io::Error),
}

impl<B: Body<Data = Bytes> + Unpin> Outgoing<B> {
    /// A request with `body`; `head` is its head but for what tells the body's length, and without the empty line.
    pub(crate) fn new(mut head: Vec<u8>, method: &Method, body: B) -> Self {
        let exact = if body.is_end_stream() { None } else { Some(body.size_hint().exact()) };
        let marks = match exact {
            Some(None) if !matches!(*method, Method::GET | Method::HEAD) => Marks::Chunks,
            Some(Some(length)) => Marks::Length(length),
            _ => Marks::Length(0),
        };
        match marks {
            Marks::Chunks => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            // Many servers refuse these methods with 411 where there is neither a body nor a length.
            Marks::Length(0) if matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
                head.extend_from_slice(b"content-length: 0\r\n");
            }
            Marks::Length(0) => {}
            Marks::Length(length) => push(&mut head, format_args!("content-length: {length}\r\n")),
        }
        head.extend_from_slice(b"\r\n");
        Self {
            before: head,
            written: 0,
            piece: Bytes::new(),
            after: b"",
            marks,
            body: Some(body).filter(|_| marks != Marks::Length(0)),
            bodiless_answer: *method == Method::HEAD,
            begun: false,
            flushed: true,
        }
    }

    /// Whether its answer has no body, whatever it says.
    pub(crate) fn has_bodiless_answer(&self) -> bool {
        self.bodiless_answer
    }

    /// Whether any of it was written.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Writes as much as there is and as `io` takes; ready when all of it is out.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<Result<(), Fault>> {
        loop {
            let waits_for_body = self.wants_piece() && self.poll_take(cx)?.is_pending();
            if !self.is_empty() {
                ready!(self.poll_write(cx, io)).map_err(Fault::Io)?;
            } else {
                if !self.flushed {
                    ready!(Pin::new(&mut *io).poll_flush(cx)).map_err(Fault::Io)?;
                    self.flushed = true;
                }
                if waits_for_body {
                    return Poll::Pending;
                }
                if self.body.is_none() {
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.written == self.before.len() && self.piece.is_empty() && self.after.is_empty()
    }

    /// The first piece goes out with the head, if it is there by then.
    fn wants_piece(&self) -> bool {
        self.body.is_some() && (self.is_empty() || (!self.begun && self.piece.is_empty()))
    }

    /// Takes the next piece of the body, or its end.
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        while let Some(body) = &mut self.body {
            let piece = match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                None => {
                    self.end()?;
                    break;
                }
                Some(Err(_)) => return Poll::Ready(Err(Fault::Broken)),
                // Trailers are not GSTN's business.
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            if !piece.is_empty() {
                let is_last = body.is_end_stream();
                self.put(piece, is_last)?;
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn put(&mut self, piece: Bytes, is_last: bool) -> Result<(), Fault> {
        self.forget_written();
        match &mut self.marks {
            Marks::Length(left) => {
                *left = left.checked_sub(piece.len() as u64).ok_or(Fault::Length)?;
                if *left == 0 {
                    self.body = None;
                }
            }
            Marks::Chunks => {
                push(&mut self.before, format_args!("{:x}\r\n", piece.len()));
                self.after = if is_last { b"\r\n0\r\n\r\n" } else { b"\r\n" };
                if is_last {
                    self.body = None;
                }
            }
        }
        self.piece = piece;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.forget_written();
        self.body = None;
        match self.marks {
            Marks::Length(0) => {}
            Marks::Length(_) => return Err(Fault::Length),
            Marks::Chunks => self.after = b"0\r\n\r\n",
        }
        Ok(())
    }

    fn forget_written(&mut self) {
        if self.begun {
            self.before.clear();
            self.written = 0;
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        let before = &self.before[self.written..];
        let written = if self.piece.is_empty() && self.after.is_empty() {
            ready!(Pin::new(io).poll_write(cx, before))?
        } else {
            let slices = [IoSlice::new(before), IoSlice::new(&self.piece), IoSlice::new(self.after)];
            ready!(Pin::new(io).poll_write_vectored(cx, &slices))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.begun = true;
        self.flushed = false;
        let of_before = written.min(before.len());
        let of_piece = (written - of_before).min(self.piece.len());
        self.written += of_before;
        self.piece.advance(of_piece);
        self.after = &self.after[written - of_before - of_piece..];
        Poll::Ready(Ok(()))
    }
}

/// Appends `words` to `text`.
fn push(text: &mut Vec<u8>, words: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = text.write_fmt(words);
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::Waker;

    use http_body::{Frame, SizeHint};

    use super::*;

    /// A body in pieces; `None` is one that is yet to come.
    struct Pieces {
        coming: VecDeque<Option<Result<&'static str, ()>>>,
        exact: Option<u64>,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = ();

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
            match self.get_mut().coming.pop_front() {
                Some(Some(piece)) => Poll::Ready(Some(piece.map(|piece| Frame::data(piece.into())))),
                Some(None) => Poll::Pending,
                None => Poll::Ready(None),
            }
        }

        fn is_end_stream(&self) -> bool {
            self.coming.is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            self.exact.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    /// Takes at most so many bytes at a time, and notes each write.
    struct Slow {
        most: usize,
        writes: Vec<Vec<u8>>,
    }

    impl AsyncWrite for Slow {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let this = self.get_mut();
            let taken = bytes.len().min(this.most);
            this.writes.push(bytes[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.poll_write(cx, &slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>())
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn request(
        method: Method,
        exact: Option<u64>,
        coming: &[Option<Result<&'static str, ()>>],
    ) -> Outgoing<Pieces> {
        let body = Pieces { coming: coming.iter().copied().collect(), exact };
        Outgoing::new(b"x / HTTP/1.1\r\nhost: g\r\n".to_vec(), &method, body)
    }

    /// What is written of `request`, when at most `most` bytes are taken at a time, and how it ends.
    fn send(mut request: Outgoing<Pieces>, most: usize) -> (Vec<String>, Result<(), Fault>) {
        let mut io = Slow { most, writes: Vec::new() };
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..10 {
            if let Poll::Ready(end) = request.poll_send(&mut cx, &mut io) {
                let writes = io.writes.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
                return (writes, end);
            }
        }
        panic!("it never ends")
    }

    const HEAD: &str = "x / HTTP/1.1\r\nhost: g\r\n";

    #[test]
    fn no_body_is_no_body_and_says_so_where_one_is_usual() {
        for (method, line) in [
            (Method::GET, ""),
            (Method::DELETE, ""),
            (Method::POST, "content-length: 0\r\n"),
            (Method::PUT, "content-length: 0\r\n"),
            (Method::PATCH, "content-length: 0\r\n"),
        ] {
            let (writes, end) = send(request(method, Some(0), &[]), 1000);
            assert!(end.is_ok());
            assert_eq!(writes, [format!("{HEAD}{line}\r\n")]);
        }
    }

    #[test]
    fn the_first_piece_goes_out_with_the_head() {
        let pieces = [Some(Ok("{\"a\":")), Some(Ok("1}"))];
        let (writes, end) = send(request(Method::PUT, Some(7), &pieces), 1000);
        assert!(end.is_ok());
        assert_eq!(writes, [format!("{HEAD}content-length: 7\r\n\r\n{{\"a\":"), "1}".to_owned()]);
    }

    #[test]
    fn a_head_does_not_wait_for_its_body() {
        let (writes, end) = send(request(Method::PUT, Some(2), &[None, Some(Ok("{}"))]), 1000);
        assert!(end.is_ok());
        assert_eq!(writes, [format!("{HEAD}content-length: 2\r\n\r\n"), "{}".to_owned()]);
    }

    #[test]
    fn a_body_of_unknown_length_goes_in_chunks() {
        let head = format!("{HEAD}transfer-encoding: chunked\r\n\r\n");
        let pieces = [Some(Ok("first")), Some(Ok("")), None, Some(Ok("0123456789"))];
        let (writes, end) = send(request(Method::PUT, None, &pieces), 1000);
        assert!(end.is_ok());
        assert_eq!(writes, [format!("{head}5\r\nfirst\r\n"), "a\r\n0123456789\r\n0\r\n\r\n".to_owned()]);
        // Its end comes later than its last piece.
        let (writes, end) = send(request(Method::PUT, None, &[Some(Ok("first")), None]), 1000);
        assert!(end.is_ok());
        assert_eq!(writes, [format!("{head}5\r\nfirst\r\n"), "0\r\n\r\n".to_owned()]);
        let (writes, end) = send(request(Method::POST, None, &[None]), 1000);
        assert!(end.is_ok());
        assert_eq!(writes.concat(), format!("{head}0\r\n\r\n"));
    }

    #[test]
    fn what_is_written_does_not_depend_on_how_much_is_taken_at_a_time() {
        for exact in [None, Some(15)] {
            let pieces = [Some(Ok("first")), None, Some(Ok("0123456789"))];
            let (whole, _) = send(request(Method::PUT, exact, &pieces), 1000);
            for most in 1..40 {
                let (writes, end) = send(request(Method::PUT, exact, &pieces), most);
                assert!(end.is_ok());
                assert_eq!(writes.concat(), whole.concat(), "{most} at a time");
            }
        }
    }

    #[test]
    fn a_get_with_a_body_of_unknown_length_goes_without_it() {
        for method in [Method::GET, Method::HEAD] {
            let (writes, end) = send(request(method, None, &[Some(Ok("{}"))]), 1000);
            assert!(end.is_ok());
            assert_eq!(writes, [format!("{HEAD}\r\n")]);
        }
    }

    #[test]
    fn a_body_that_is_not_as_long_as_it_says_is_not_taken_for_whole() {
        let (_, end) = send(request(Method::PUT, Some(3), &[Some(Ok("{}"))]), 1000);
        assert!(matches!(end, Err(Fault::Length)), "{end:?}");
        let (writes, end) = send(request(Method::PUT, Some(1), &[Some(Ok("{}"))]), 1000);
        assert!(matches!(end, Err(Fault::Length)), "{end:?}");
        assert!(!writes.concat().contains('{'));
        let (writes, end) = send(request(Method::PUT, None, &[Some(Ok("{}")), None, Some(Err(()))]), 1000);
        assert!(matches!(end, Err(Fault::Broken)), "{end:?}");
        assert!(writes.concat().ends_with("2\r\n{}\r\n"), "the last chunk is not there");
    }
}
