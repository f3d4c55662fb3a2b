//! Thumbnails on threads: pictures are drawn, made small by a pool, and filed album by album.
//!
//! `cargo run -p lockgate-workerpool --release --example thumbnails`
#![allow(clippy::print_stdout, reason = "a program for people")]

use lockgate_workerpool::thread::{Pool, Queue, Reject};
use std::error::Error;
use std::sync::{Arc, Mutex};

const SIDE: usize = 512;
const SMALL: usize = 64;
const ALBUMS: [&str; 3] = ["sea", "hills", "town"];

/// A grey picture, a byte for each pixel.
struct Picture {
    side: usize,
    pixels: Vec<u8>,
}

/// What a camera would have taken: a slope, different for each number.
fn draw(number: usize) -> Picture {
    let shade = |index: usize| ((index % SIDE + index / SIDE * number) / 4 % 256) as u8;
    Picture { side: SIDE, pixels: (0..SIDE * SIDE).map(shade).collect() }
}

/// Each pixel of the small one is the mean of the square that it stands for.
fn shrink(picture: &Picture) -> Picture {
    let step = picture.side / SMALL;
    let mean = |index: usize| {
        let (left, top) = (index % SMALL * step, index / SMALL * step);
        let row = |y: usize| &picture.pixels[(top + y) * picture.side + left..][..step];
        let sum: usize = (0..step).flat_map(row).map(|shade| usize::from(*shade)).sum();
        (sum / (step * step)) as u8
    };
    Picture { side: SMALL, pixels: (0..SMALL * SMALL).map(mean).collect() }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Drawing is faster than shrinking: the bound keeps the pictures that wait from filling the
    // memory, by letting the drawer wait.
    let pool = Pool::builder()
        .threads(2..=4)
        .queue(Queue::Bounded(8))
        .reject(Reject::Block)
        .name("thumbnail")
        .build()?;
    // One line for each album: its pages come in order, whoever shrinks them.
    let albums = pool.keyed();
    let pages: Vec<_> = ALBUMS.iter().map(|_| Arc::new(Mutex::new(Vec::new()))).collect();

    for number in 0..60 {
        let (album, picture) = (number % ALBUMS.len(), draw(number));
        let pages = Arc::clone(&pages[album]);
        albums.spawn(album, move || {
            let small = shrink(&picture);
            pages.lock().unwrap().push((number, small.pixels[SMALL * SMALL / 2]));
        })?;
    }
    // A picture that cannot be read costs its own job, and no worker.
    let broken = pool.submit(|| shrink(&Picture { side: SIDE, pixels: Vec::new() }).side)?;
    let error = broken.wait().expect_err("there is nothing to shrink");

    pool.shutdown().wait()?;
    for (album, pages) in ALBUMS.iter().zip(&pages) {
        let pages = pages.lock().unwrap();
        let in_order = pages.is_sorted_by_key(|(number, _)| *number);
        println!("{album:>6}: {} thumbnails, in order: {in_order}", pages.len());
        assert!(in_order && pages.len() == 20);
    }
    let metrics = pool.metrics();
    println!("{} jobs done, {} panicked ({error})", metrics.completed, metrics.panicked);
    assert_eq!((metrics.completed, metrics.panicked), (60, 1));
    Ok(())
}
