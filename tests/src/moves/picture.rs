//! Requests over time, by the host that answered, with the steps of the move: as SVG.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::subjects::Round;
use crate::cluster::HOSTS;

/// Draws one round.
pub(super) fn draw(round: &Round) -> String {
    let end = round
        .samples
        .iter()
        .map(|one| one.due.duration_since(round.began))
        .max();
    let bins = end.unwrap_or_default().as_millis().div_ceil(BIN.as_millis()) as usize + 1;
    let count = |node: &str| {
        let mut counts = vec![0u32; bins];
        for sample in &round.samples {
            if sample.answer.as_deref() == Ok(node)
                && let Some(count) = counts.get_mut(place(round.began, sample.due))
            {
                *count += 1;
            }
        }
        counts
    };
    let (first, second) = (count(HOSTS[0]), count(HOSTS[1]));
    let highest = first.iter().zip(&second).map(|(a, b)| a + b).max().unwrap_or(1).max(1);
    let width = WIDTH / bins as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" \
         role=\"img\" aria-label=\"Requests over time by host during a move with overlap\">\n\
         <rect width=\"{total}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n",
        total = WIDTH + 2.0 * MARGIN
    );
    for (at, (a, b)) in first.iter().zip(&second).enumerate() {
        let x = MARGIN + at as f64 * width;
        let scale = |count: u32| f64::from(count) / f64::from(highest) * PLOT;
        let (low, high) = (scale(*a), scale(*b));
        let _infallible = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.2}\" height=\"{low:.1}\" fill=\"#3b6ea5\"/>\
             <rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.2}\" height=\"{high:.1}\" fill=\"#e08a3c\"/>",
            BASE - low,
            BASE - low - high,
        );
    }
    for (number, (what, at)) in round.steps.iter().enumerate() {
        let since = at.duration_since(round.began).as_secs_f64();
        let x = MARGIN + since / (bins as f64 * BIN.as_secs_f64()) * WIDTH;
        let y = 16.0 + 14.0 * number as f64;
        let _infallible = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{y}\" y2=\"{BASE}\" stroke=\"#333\" stroke-dasharray=\"3 3\"/>\
             <text x=\"{:.1}\" y=\"{y}\">{what}, {since:.2} s</text>",
            x + 4.0
        );
    }
    let _infallible = writeln!(
        svg,
        "<line x1=\"{MARGIN}\" x2=\"{right}\" y1=\"{BASE}\" y2=\"{BASE}\" stroke=\"#333\"/>\n\
         <text x=\"{MARGIN}\" y=\"{below}\">0 s</text><text x=\"{right}\" y=\"{below}\" text-anchor=\"end\">{seconds:.1} s</text>\n\
         <text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\"><tspan fill=\"#3b6ea5\">■</tspan> answered by the first \
         <tspan fill=\"#e08a3c\">■</tspan> by the second (requests per {bin} ms, at most {highest})</text>\n</svg>",
        right = MARGIN + WIDTH,
        below = BASE + 20.0,
        middle = MARGIN + WIDTH / 2.0,
        seconds = bins as f64 * BIN.as_secs_f64(),
        bin = BIN.as_millis(),
    );
    svg
}

fn place(began: Instant, due: Instant) -> usize {
    (due.saturating_duration_since(began).as_millis() / BIN.as_millis()) as usize
}

const BIN: Duration = Duration::from_millis(50);
const WIDTH: f64 = 840.0;
const MARGIN: f64 = 30.0;
const HEIGHT: f64 = 340.0;
/// Where the axis lies, and how high the highest column is.
const BASE: f64 = 305.0;
const PLOT: f64 = 180.0;
