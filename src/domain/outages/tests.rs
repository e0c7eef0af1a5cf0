//! Whoever reads the lines knows what fails; nobody has to read many.

use proptest::prelude::*;

use super::*;

type Told = Line<u8, u32, &'static str>;

/// What somebody believes who reads the lines and nothing else.
#[derive(Default)]
struct Reader {
    failing: BTreeMap<u8, usize>,
    named: BTreeMap<u32, u8>,
    lines: Vec<Uptime>,
    /// Most lines in any hour.
    most: usize,
}

impl Reader {
    fn read(&mut self, line: &Told, now: Uptime) {
        self.lines.push(now);
        self.most = self.most.max(self.lines.iter().rev().take_while(|at| **at + HOUR > now).count());
        match line {
            Line::Began { cause, member, .. } => {
                self.unname(*member);
                *self.failing.entry(*cause).or_default() += 1;
                self.named.insert(*member, *cause);
            }
            Line::Ended { cause, member, .. } => {
                assert_eq!(self.named.get(member), Some(cause), "only who was named is told to be well again");
                self.unname(*member);
            }
            Line::Still { cause, member, .. } => assert_eq!(self.named.get(member), Some(cause)),
            Line::Count(count) => self.count(count.cause, count.members.len()),
            Line::Summary(numbers) => numbers.iter().for_each(|(cause, number)| self.count(*cause, *number)),
        }
    }

    fn unname(&mut self, member: u32) {
        if let Some(former) = self.named.remove(&member) {
            *self.failing.get_mut(&former).unwrap() -= 1;
        }
    }

    fn count(&mut self, cause: u8, number: usize) {
        self.named.retain(|_, named| *named != cause);
        self.failing.insert(cause, number);
    }
}

/// Members that fail and recover at instants, and somebody who reads.
#[derive(Default)]
struct Play {
    outages: Outages<u8, u32, &'static str>,
    reader: Reader,
    members: BTreeMap<u32, u8>,
    /// Causes of which the reader believes a wrong number, and since when.
    wrong: BTreeMap<u8, Uptime>,
    now: Uptime,
}

impl Play {
    /// Time passes; what is due meanwhile is read when it is due.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.outages.next().filter(|next| *next <= end) {
            assert!(next > self.now || self.outages.next() == Some(next), "it goes on");
            self.now = self.now.max(next);
            let before = self.outages.next();
            self.tell();
            assert_ne!(self.outages.next(), before, "what was due is done");
        }
        self.now = end;
    }

    fn tell(&mut self) -> Vec<Told> {
        let lines = self.outages.due(self.now);
        for line in &lines {
            self.reader.read(line, self.now);
        }
        self.check();
        lines
    }

    fn note(&mut self, member: u32, cause: Option<u8>) -> Option<Told> {
        match cause {
            Some(cause) => self.members.insert(member, cause),
            None => self.members.remove(&member),
        };
        let line = self.outages.note(&member, cause.map(|cause| (cause, "why")), self.now);
        if let Some(line) = &line {
            self.reader.read(line, self.now);
        }
        self.check();
        line
    }

    /// Nobody who reads the lines is wrong about a cause for longer than the bound. That a fourth member
    /// fails waits for a count, while a line by name takes one of the first three away: for that moment
    /// the reader believes in a number that never was.
    fn check(&mut self) {
        let mut truth = BTreeMap::<u8, usize>::new();
        for cause in self.members.values() {
            *truth.entry(*cause).or_default() += 1;
        }
        for cause in 0..CAUSES {
            let (true_number, told) = (truth.get(&cause), self.reader.failing.get(&cause));
            if true_number.unwrap_or(&0) == told.unwrap_or(&0) {
                self.wrong.remove(&cause);
            } else {
                let since = *self.wrong.entry(cause).or_insert(self.now);
                assert!(self.now - since <= TOLD_WITHIN, "{cause}: {told:?} was told, it is {true_number:?}");
            }
        }
        assert!(self.reader.most <= MAX_LINES_PER_HOUR, "{} lines in an hour", self.reader.most);
    }
}

/// More causes than an hour has lines for.
const CAUSES: u8 = 30;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_single_fault_is_told_at_once_then_hourly_and_when_it_is_over() {
    let mut play = Play::default();
    assert_eq!(play.note(1, Some(7)), Some(Line::Began { cause: 7, member: 1, detail: "why" }));
    for _ in 0..3 {
        play.wait(15 * MINUTE);
        assert_eq!(play.note(1, Some(7)), None);
    }
    play.now += 15 * MINUTE;
    assert_eq!(play.tell(), [Line::Still { cause: 7, member: 1, detail: "why", times: 4, time: HOUR }]);
    assert_eq!(
        play.note(1, Some(8)),
        Some(Line::Began { cause: 8, member: 1, detail: "why" }),
        "another reason is news"
    );
    play.wait(MINUTE);
    assert_eq!(play.note(1, None), Some(Line::Ended { cause: 8, member: 1, times: 1 }));
    play.wait(24 * HOUR);
    assert_eq!(play.reader.lines.len(), 4);
}

#[test]
fn many_are_counted_and_the_count_follows() {
    let mut play = Play::default();
    for member in 0..600 {
        play.note(member, Some(1));
        play.wait(SECOND);
    }
    // Three by name, a count half a minute later, another after five minutes more.
    assert_eq!(play.reader.lines.len(), MAX_NAMED + 2, "{:?}", play.reader.lines);
    play.wait(10 * MINUTE);
    assert_eq!(play.reader.failing[&1], 600);
    let before = play.reader.lines.len();
    play.wait(2 * HOUR);
    assert_eq!(play.reader.lines.len(), before + 2, "it goes on, as a line each hour says");
    for member in 0..600 {
        play.note(member, None);
    }
    play.wait(SETTLE_TIME);
    assert_eq!((play.reader.failing[&1], play.reader.lines.len()), (0, before + 3), "that all is well comes soon");
    assert_eq!(
        play.note(5, Some(1)),
        Some(Line::Began { cause: 1, member: 5, detail: "why" }),
        "and then names count again"
    );
}

#[test]
fn what_is_untold_at_the_end_is_told_then() {
    let mut play = Play::default();
    for member in 0..5 {
        play.note(member, Some(1));
    }
    let rest = play.outages.rest(play.now);
    assert!(matches!(&rest[..], [Line::Count(count)] if count.members.len() == 5 && count.began == 5), "{rest:?}");
    assert_eq!(play.outages.rest(play.now), []);
}

#[test]
fn a_day_in_which_everything_flaps_has_some_dozens_of_lines_an_hour() {
    let (mut play, mut dice) = (Play::default(), 1_u64);
    for _ in 0..20_000 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let member = u32::try_from((dice >> 33) % 1000).unwrap();
        let cause = u8::try_from((dice >> 20) % 12).unwrap();
        play.note(member, (cause < 11).then_some(cause));
        play.wait(SECOND);
    }
    let (lines, most) = (play.reader.lines.len(), play.reader.most);
    println!("1,000 members, 20,000 changes of 11 causes in 5.6 hours: {lines} lines, at most {most} in an hour");
    assert!(most <= MAX_LINES_PER_HOUR);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_change_goes_untold_and_no_hour_has_many_lines(
        events in proptest::collection::vec((0_u32..12, proptest::option::of(0_u8..CAUSES), 0_u64..1200), 1..300),
        forgotten in proptest::collection::vec(0_u32..12, 0..4),
    ) {
        let mut play = Play::default();
        for (place, (member, cause, seconds)) in events.into_iter().enumerate() {
            play.note(member, cause);
            if let Some(gone) = forgotten.get(place / 20).filter(|_| place % 20 == 19) {
                play.outages.forget(gone, play.now);
                play.members.remove(gone);
            }
            play.wait(Duration::from_secs(seconds * seconds / 1000));
        }
        play.wait(TOLD_WITHIN);
        for (cause, number) in &play.reader.failing {
            prop_assert_eq!(play.members.values().filter(|failing| *failing == cause).count(), *number);
        }
    }
}
