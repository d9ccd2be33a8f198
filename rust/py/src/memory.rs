//! Large blocks on huge pages: a run touches every page of hundreds of megabytes once, at random, and would
//! otherwise spend a fifth of its time on page faults and address look-ups.

use std::alloc::{GlobalAlloc, Layout, System};

/// The allocator of this extension.
pub struct HugePages;

/// Blocks from this size on get huge pages, where the system has them.
const LARGE_BYTES: usize = 4 << 20;

const HUGE_PAGE_BYTES: usize = 2 << 20;

// SAFETY: every block comes from the system's allocator and goes back to it; advice does not change what a block holds.
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        advised(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        advised(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        advised(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(target_os = "linux")]
fn advised(block: *mut u8, size: usize) -> *mut u8 {
    if size >= LARGE_BYTES && !block.is_null() {
        let first = (block as usize).next_multiple_of(HUGE_PAGE_BYTES);
        let end = (block as usize + size) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
        if end > first {
            // SAFETY: the range lies inside the block. A refusal costs speed only.
            unsafe { libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE) };
        }
    }
    block
}

#[cfg(not(target_os = "linux"))]
fn advised(block: *mut u8, _size: usize) -> *mut u8 {
    block
}
