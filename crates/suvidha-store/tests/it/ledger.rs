//! The ledger, told from the counter where calls are written down.

use suvidha_store::ledger::{Filter, Order, Release};

use crate::counter::{Counter, asp};

#[test]
fn what_was_committed_is_read_as_it_was_submitted() {
    let counter = Counter::new();
    let (writer, witness) = counter.start();
    let entries: Vec<_> = (0..20).map(|_| counter.a_call()).collect();
    let tickets: Vec<_> = entries.iter().map(|entry| writer.submit(entry.clone(), Release::Held)).collect();
    witness.wait(|told| Some(&told.committed) == tickets.last());
    assert_eq!(writer.committed(), *tickets.last().unwrap());
    let read = counter.all();
    assert_eq!(read.iter().map(|recorded| recorded.seq).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    assert_eq!(read.into_iter().map(|recorded| recorded.entry).collect::<Vec<_>>(), entries);
    assert_eq!(counter.reader().charged(&asp(1)).unwrap(), 20);
    assert_eq!(counter.reader().head().unwrap(), writer.figures().head);
}

#[test]
fn entries_are_read_from_either_end_in_pages() {
    let counter = Counter::new();
    counter.written((0..10).map(|_| counter.a_call()));
    let reader = counter.reader();
    let page = reader.entries(&Filter::default(), Order::NewestFirst, None, 4).unwrap();
    assert_eq!(page.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [10, 9, 8, 7]);
    assert_eq!((page.reached, page.more), (7, true));
    let page = reader.entries(&Filter::default(), Order::NewestFirst, Some(3), 4).unwrap();
    assert_eq!(page.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((page.reached, page.more), (1, false));
    let page = reader.entries(&Filter::default(), Order::OldestFirst, Some(10), 4).unwrap();
    assert_eq!((page.entries.len(), page.reached, page.more), (0, 10, false));
}
