//! An allocator that counts, for each thread by itself: tests run side by side.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
    static WATCHED_BYTES: Cell<usize> = const { Cell::new(0) };
    static WATCHED: Cell<i64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

impl Counting {
    fn note(size: usize, sign: i64) {
        LIVE_BYTES.set(LIVE_BYTES.get() + sign * size as i64);
        if size == WATCHED_BYTES.get() {
            WATCHED.set(WATCHED.get() + sign);
        }
    }

    fn allocated(size: usize) {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        Self::note(size, 1);
    }
}

// SAFETY: everything is the system allocator's work; counting touches cells that need no heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::allocated(layout.size());
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::allocated(layout.size());
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::note(layout.size(), -1);
        // SAFETY: the caller's promise is the same, and the pointer came from there.
        unsafe { System.dealloc(pointer, layout) }
    }

    /// An allocation like any other: it may copy.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::note(layout.size(), -1);
        Self::allocated(size);
        // SAFETY: the caller's promise is the same, and the pointer came from there.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// How many allocations `f` makes in this thread.
pub(crate) fn allocations<R>(f: impl FnOnce() -> R) -> (u64, R) {
    let before = ALLOCATIONS.get();
    let result = f();
    (ALLOCATIONS.get() - before, result)
}

/// Bytes that this thread has allocated and not freed.
pub(crate) fn live_bytes() -> i64 {
    LIVE_BYTES.get()
}

/// From now on allocations of exactly this size are counted, and no others.
pub(crate) fn watch(size: usize) {
    WATCHED_BYTES.set(size);
    WATCHED.set(0);
}

/// How many allocations of the watched size are alive.
pub(crate) fn watched() -> i64 {
    WATCHED.get()
}
