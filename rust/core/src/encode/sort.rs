//! Sorting keys: eight bytes after what all keys share decide nearly always, so whole keys are seldom compared.

use rayon::prelude::*;

use super::column::Keys;

/// The numbers of the keys in ascending order of the keys; equal keys by number.
pub fn argsort<K: Keys>(keys: &[K::Key]) -> Vec<u32> {
    if keys.is_sorted() {
        return (0..keys.len() as u32).collect();
    }
    let skip = keys.par_iter().map(|&key| K::shared(key, keys[0])).min().unwrap_or(0);
    let mut entries: Vec<_> = keys
        .par_iter()
        .enumerate()
        .map(|(number, &key)| (K::lead(key, skip), number as u32))
        .collect();
    entries.par_sort_unstable_by(|one, other| {
        one.0
            .cmp(&other.0)
            .then_with(|| keys[one.1 as usize].cmp(&keys[other.1 as usize]))
            .then(one.1.cmp(&other.1))
    });
    entries.into_par_iter().map(|(_, number)| number).collect()
}
