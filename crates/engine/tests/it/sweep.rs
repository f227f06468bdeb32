//! Every story of the repertoire again, with the daemon killed at each place at which it can die, once for each:
//! before and after each call at a port, before and after each append. It must end the same. Readings that
//! follow one another in the same instant are one place: the same world and the same journal are left.
//!
//! To show a new thing here (a port method, a record, a kind of release), tell a story in which it happens and
//! add it to the repertoire: `coverage.rs` fails until that is done, and says what is missing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use segue_engine::fakes::Place;

use crate::pool;
use crate::repertoire::{STORIES, Story};

/// A death, or two.
struct Death {
    story: &'static Story,
    /// The points at which a daemon dies, counted from 1.
    at: Vec<u64>,
    place: Place,
}

impl Death {
    fn name(&self) -> String {
        format!(
            "{}: killed at point {:?}, {:?} {}",
            self.story.name, self.at, self.place.when, self.place.method
        )
    }

    /// Tells the story with it; how many daemons died.
    fn tell(&self) -> usize {
        pool::alone(async {
            let scene = self.story.scene();
            for point in &self.at {
                scene.world.choke().crash_at_point(*point);
            }
            self.story.tell(&scene).await;
            let deaths = scene.world.choke().deaths();
            assert_eq!(deaths.first(), Some(&self.place), "it went another way before it died");
            deaths.len()
        })
    }
}

/// Tells the story undisturbed; the places at which a daemon can die, in order.
pub(crate) fn points(story: &Story) -> Vec<Place> {
    println!("{}", story.name);
    pool::alone(async {
        let scene = story.scene();
        story.tell(&scene).await;
        scene.world.choke().points()
    })
}

/// The places of each story, by its name.
fn all_points() -> BTreeMap<&'static str, Vec<Place>> {
    STORIES.iter().map(|story| (story.name, points(story))).collect()
}

/// The points of a story that are its own: from where it parts with another that begins in the same way.
fn own<'a>(
    story: &Story,
    points: &'a BTreeMap<&str, Vec<Place>>,
) -> impl Iterator<Item = (u64, Place)> + use<'a> {
    let mine = &points[story.name];
    let known = story.begins_as.map_or(&[][..], |other| &points[other]);
    let same = mine.iter().zip(known).take_while(|(mine, known)| mine == known).count();
    (1..).zip(mine.iter().copied()).skip(same)
}

#[test]
fn every_story_survives_the_daemons_death_at_every_place() {
    let points = all_points();
    let mut deaths = Vec::new();
    for story in STORIES {
        let all = points[story.name].len();
        assert!(all >= story.points_min, "{} has {all} points: fewer than {}", story.name, story.points_min);
        let before = deaths.len();
        deaths.extend(own(story, &points).map(|(point, place)| Death { story, at: vec![point], place }));
        println!("{:>5} points, {:>5} of its own: {}", all, deaths.len() - before, story.name);
    }
    println!("{:>5} deaths", deaths.len());
    pool::each(&deaths, Death::name, |death| assert_eq!(death.tell(), 1));
}

/// From one death to the next: so many points of the daemon that came up in between.
const SOON: [u64; 3] = [2, 5, 14];
/// Every so many points of a story there is a pair of deaths.
const STRIDE: usize = 5;

#[test]
fn every_story_survives_a_second_death_soon_after_the_first() {
    let points = all_points();
    let pairs: Vec<Death> = STORIES
        .iter()
        .flat_map(|story| own(story, &points).step_by(STRIDE).map(move |first| (story, first)))
        .zip(SOON.iter().cycle())
        .map(|((story, (first, place)), soon)| Death { story, at: vec![first, first + soon], place })
        .collect();
    println!("{:>5} pairs of deaths", pairs.len());
    let died_twice = AtomicUsize::new(0);
    pool::each(&pairs, Death::name, |pair| match pair.tell() {
        2 => drop(died_twice.fetch_add(1, Ordering::Relaxed)),
        deaths => assert_eq!(deaths, 1),
    });
    let died_twice = died_twice.into_inner();
    println!("{died_twice:>5} of them died twice");
    // A daemon that comes up when nearly all is done has few points left.
    assert!(died_twice * 10 >= pairs.len() * 9, "{died_twice} of {} died twice", pairs.len());
}
