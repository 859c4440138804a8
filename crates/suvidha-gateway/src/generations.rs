//! A map that cannot grow beyond bounds: whoever is not asked for makes way.
//!
//! Two generations of entries. A new entry goes into the young one; when that is full it becomes the old one, and what was
//! old is forgotten. An old entry that is asked for becomes young again. That is nearly as good as forgetting the least
//! recently used, and costs one look-up more.

use std::borrow::Borrow;
use std::hash::Hash;

use foldhash::{HashMap, HashMapExt};

pub(crate) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    each: usize,
}

impl<K: Hash + Eq, V> Generations<K, V> {
    /// Two generations of at most `each` entries.
    pub(crate) fn new(each: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), each }
    }

    pub(crate) fn get<Q>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.insert(key, value);
        }
        self.young.get(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.each && !self.young.contains_key(&key) {
            // What was old gives its place, and its memory, to the new.
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_makes_way() {
        let mut map = Generations::new(10);
        map.insert(-1, "asked for");
        for key in 0..1000 {
            assert_eq!(map.get(&-1), Some(&"asked for"), "{key}");
            map.insert(key, "once");
            assert!(map.young.len() <= 10 && map.old.len() <= 10);
        }
        assert_eq!(map.get(&999), Some(&"once"));
        assert_eq!(map.get(&0), None);
    }

    #[test]
    fn a_new_value_replaces_an_old_one_in_either_generation() {
        let mut map = Generations::new(1);
        map.insert('a', 1);
        map.insert('b', 1);
        map.insert('a', 2);
        assert_eq!(map.get(&'a'), Some(&2));
        map.insert('c', 1);
        assert_eq!(map.get(&'a'), Some(&2));
    }
}
