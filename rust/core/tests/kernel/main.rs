//! The kernel without Python: against a naive allocator in small worlds, and in large ones that reach every mode.

mod checks;
mod large;
mod naive;
mod small;
mod world;

use naive::Served;
use world::World;

/// What the kernel answers, by the ids of lines and rows.
fn answer(world: &World) -> Vec<Served> {
    let stretches = world
        .problem(|problem| allocator_core::run(problem))
        .expect("the columns fit each other");
    let mut answer = Vec::new();
    for stretch in stretches {
        let takes = &stretch.takes;
        let mut next = 0;
        for (i, &line) in stretch.line.iter().enumerate() {
            let first = next;
            while takes.line.get(next) == Some(&line) {
                next += 1;
                assert_eq!(
                    takes.rank[next - 1] as usize,
                    next - first,
                    "ranks count the takes of a line"
                );
            }
            let served = |take: usize| takes.served.get(take).copied().unwrap_or(takes.qty[take]);
            let take = |take: usize| (world.rows[takes.stock[take] as usize].id, takes.qty[take], served(take));
            answer.push(Served {
                line: world.lines[line as usize].id,
                allocated: stretch.allocated[i],
                reason: stretch.reason[i],
                takes: (first..next).map(take).collect(),
            });
        }
        assert_eq!(next, takes.line.len(), "takes come in the order of their lines");
    }
    answer
}

/// The same world with rows and lines in another order.
fn shuffled(world: &World, seed: u64) -> World {
    let mut other = world.clone();
    other
        .rows
        .sort_by_key(|row| row.id.wrapping_mul(seed | 1) >> 7 & 0xffff);
    other
        .lines
        .sort_by_key(|line| line.id.wrapping_mul(seed | 1) >> 7 & 0xffff);
    other
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("threads start");
    pool.install(work)
}
