//! Large blocks: on huge pages, and kept when they are freed. A run touches every page of hundreds of megabytes, at
//! random, and the next stage or the next run touches as many again; without this it would spend a third of its time
//! on page faults, on pages that the system clears, and on address look-ups.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;

/// The system's allocator, with large blocks kept between their uses.
struct LargeBlocks(Mutex<Kept>);

/// The allocator of this extension.
#[global_allocator]
static MEMORY: LargeBlocks = LargeBlocks(Mutex::new(Kept {
    blocks: [None; KEPT_BLOCKS],
    count: 0,
    bytes: 0,
    bytes_max: LARGEST_BYTES,
}));

/// Blocks from this size on are kept.
const LARGE_BYTES: usize = 1 << 20;

/// Blocks beyond this size are not.
const LARGEST_BYTES: usize = 1 << 30;

/// Blocks from this size on get huge pages, where the system has them.
const HUGE_FROM_BYTES: usize = 4 << 20;

/// How many blocks are kept, at most.
const KEPT_BLOCKS: usize = 512;

/// Large blocks are aligned to this at least, as the system's allocator does anyway: those of numbers of any width serve
/// for each other.
const ALIGNED_BYTES: usize = 16;

const HUGE_PAGE_BYTES: usize = 2 << 20;

/// A block that nobody uses, as the system's allocator gave it for this layout.
#[derive(Clone, Copy)]
struct Block {
    address: *mut u8,
    layout: Layout,
}

// SAFETY: nobody but who holds the lock of `Kept` knows the block, so any thread may pass it on.
unsafe impl Send for Block {}

/// The blocks that are kept, the oldest first.
struct Kept {
    blocks: [Option<Block>; KEPT_BLOCKS],
    count: usize,
    bytes: usize,
    bytes_max: usize,
}

impl Kept {
    /// Keeps a block, if it fits.
    fn add(&mut self, block: Block) -> bool {
        let fits = self.count < KEPT_BLOCKS && self.bytes + block.layout.size() <= self.bytes_max;
        if fits {
            self.blocks[self.count] = Some(block);
            self.count += 1;
            self.bytes += block.layout.size();
        }
        fits
    }

    /// The block that was kept last of those that were given for this layout.
    fn latest(&mut self, layout: Layout) -> Option<Block> {
        let fits = |block: &Option<Block>| block.is_some_and(|block| block.layout == layout);
        let at = self.blocks[..self.count].iter().rposition(fits)?;
        self.remove(at)
    }

    fn oldest(&mut self) -> Option<Block> {
        if self.count == 0 { None } else { self.remove(0) }
    }

    fn remove(&mut self, at: usize) -> Option<Block> {
        self.blocks[at..self.count].rotate_left(1);
        self.count -= 1;
        let block = self.blocks[self.count].take()?;
        self.bytes -= block.layout.size();
        Some(block)
    }
}

/// Keeps a quarter of the machine's memory at most, where the system may take pages of what is kept back as soon as it is
/// short of memory; elsewhere as much as one block may have.
pub fn keep_a_quarter() {
    #[cfg(target_os = "linux")]
    if let (Some(pages), Some(bytes), Ok(mut kept)) = (
        system(libc::_SC_PHYS_PAGES),
        system(libc::_SC_PAGESIZE),
        MEMORY.0.lock(),
    ) {
        kept.bytes_max = pages.saturating_mul(bytes) / 4;
    }
}

/// A property of the system that is a number.
#[cfg(target_os = "linux")]
fn system(property: libc::c_int) -> Option<usize> {
    // SAFETY: it may be called at any time.
    usize::try_from(unsafe { libc::sysconf(property) }).ok()
}

/// Gives the system what is kept.
#[pyo3::pyfunction]
pub fn release_memory() {
    let oldest = || MEMORY.0.try_lock().ok()?.oldest();
    while let Some(Block { address, layout }) = oldest() {
        // SAFETY: it is nobody's, and came from the system for this layout.
        unsafe { System.dealloc(address, layout) };
    }
    // The system's allocator keeps what lies between others, too.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time.
    unsafe {
        libc::malloc_trim(0)
    };
}

impl LargeBlocks {
    /// A block that was kept for this layout. Nobody ever waits for another thread, which in a forked process might
    /// be gone: then nothing is found.
    fn find(&self, layout: Layout) -> Option<*mut u8> {
        let block = self.0.try_lock().ok()?.latest(layout)?;
        Some(block.address)
    }

    /// Keeps a block; what is too much goes back to the system, the oldest first.
    fn keep(&self, block: Block) {
        // Nobody reads what is in it: a system short of memory may take its pages.
        #[cfg(target_os = "linux")]
        advise(block.address, block.layout.size(), libc::MADV_FREE);
        loop {
            let mut excess = None;
            if let Ok(mut kept) = self.0.try_lock() {
                if kept.add(block) {
                    return;
                }
                excess = kept.oldest();
            }
            let Block { address, layout } = excess.unwrap_or(block);
            // SAFETY: it is nobody's, and came from the system for this layout.
            unsafe { System.dealloc(address, layout) };
            if excess.is_none() {
                return;
            }
        }
    }
}

/// What the system is asked for when someone asks for a large block: one of four sizes for each power of two, so that
/// blocks of about the same size serve for each other. Memory that nobody touches costs nothing.
fn large(layout: Layout) -> Option<Layout> {
    if !(LARGE_BYTES..=LARGEST_BYTES).contains(&layout.size()) {
        return None;
    }
    let step = layout.size().next_power_of_two() / 8;
    Layout::from_size_align(layout.size().next_multiple_of(step), layout.align().max(ALIGNED_BYTES)).ok()
}

// SAFETY: every block comes from the system's allocator and goes back to it with the layout that it was given for: that of
// `large`, which depends on nothing but what was asked, or else what was asked. While it is kept it is nobody's.
unsafe impl GlobalAlloc for LargeBlocks {
    unsafe fn alloc(&self, asked: Layout) -> *mut u8 {
        let Some(layout) = large(asked) else {
            // SAFETY: the caller's promises are passed on.
            return advised(unsafe { System.alloc(asked) }, asked.size());
        };
        self.find(layout)
            // SAFETY: the layout is not empty.
            .unwrap_or_else(|| advised(unsafe { System.alloc(layout) }, layout.size()))
    }

    unsafe fn alloc_zeroed(&self, asked: Layout) -> *mut u8 {
        let Some(layout) = large(asked) else {
            // SAFETY: the caller's promises are passed on.
            return advised(unsafe { System.alloc_zeroed(asked) }, asked.size());
        };
        let Some(block) = self.find(layout) else {
            // SAFETY: the layout is not empty.
            return advised(unsafe { System.alloc_zeroed(layout) }, layout.size());
        };
        // SAFETY: the block is as large as its layout, which is at least what was asked.
        unsafe { block.write_bytes(0, asked.size()) };
        block
    }

    unsafe fn realloc(&self, block: *mut u8, asked: Layout, size: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(size, asked.align()) else {
            return std::ptr::null_mut();
        };
        let (from, to) = (large(asked).unwrap_or(asked), large(wanted).unwrap_or(wanted));
        if from == to {
            return block;
        }
        if let Some(kept) = large(wanted).and_then(|layout| self.find(layout)) {
            // SAFETY: both are as large as what they were asked for, and nobody's but ours; the old one is given up.
            unsafe {
                kept.copy_from_nonoverlapping(block, asked.size().min(size));
                self.dealloc(block, asked);
            }
            return kept;
        }
        if from.align() != to.align() {
            // SAFETY: both are as large as what they were asked for; the old one is given up for a new one.
            unsafe {
                let new = self.alloc(wanted);
                if !new.is_null() {
                    new.copy_from_nonoverlapping(block, asked.size().min(size));
                    self.dealloc(block, asked);
                }
                return new;
            }
        }
        // SAFETY: the block was given for `from`; `to` has its alignment and is not empty.
        advised(unsafe { System.realloc(block, from, to.size()) }, to.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, asked: Layout) {
        match large(asked) {
            Some(layout) => self.keep(Block { address: block, layout }),
            // SAFETY: the caller's promises are passed on.
            None => unsafe { System.dealloc(block, asked) },
        }
    }
}

/// Puts a block on huge pages.
fn advised(block: *mut u8, size: usize) -> *mut u8 {
    if size >= HUGE_FROM_BYTES && !block.is_null() {
        #[cfg(target_os = "linux")]
        advise(block, size, libc::MADV_HUGEPAGE);
    }
    block
}

/// Tells the system what is meant with the pages of a block that are its alone.
#[cfg(target_os = "linux")]
fn advise(block: *mut u8, size: usize, advice: libc::c_int) {
    let first = (block as usize).next_multiple_of(HUGE_PAGE_BYTES);
    let end = (block as usize + size) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    if end > first {
        // SAFETY: the range lies inside the block. A refusal costs speed only.
        unsafe { libc::madvise(first as *mut libc::c_void, end - first, advice) };
    }
}
