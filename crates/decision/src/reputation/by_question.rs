//! Items by question, for as long as some facts are folded together.

use super::interner::usize_of;

/// Items by question, each question's in the order in which they came.
///
/// Room for every question is kept from one time to the next, and what is in it from earlier times is told by the
/// round: nothing has to be emptied, however many questions there are.
#[derive(Clone, Debug)]
pub(super) struct ByQuestion<T> {
    round: u32,
    spans: Vec<Span>,
    /// The questions of this round.
    questions: Vec<u32>,
    items: Vec<T>,
}

/// Where a question's items are, if they are of this round.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    round: u32,
    start: u32,
    end: u32,
}

impl<T> Default for ByQuestion<T> {
    fn default() -> Self {
        Self { round: 0, spans: Vec::new(), questions: Vec::new(), items: Vec::new() }
    }
}

impl<T: Copy> ByQuestion<T> {
    /// Forgets what was there, and takes in these.
    pub(super) fn group(&mut self, items: impl Iterator<Item = (u32, T)> + Clone) {
        self.questions.clear();
        if self.round == u32::MAX {
            self.spans.clear();
            self.round = 0;
        }
        self.round += 1;
        let mut count = 0;
        for (question, item) in items.clone() {
            if count == 0 && self.items.is_empty() {
                self.items.push(item);
            }
            let place = usize_of(question);
            if self.spans.len() <= place {
                self.spans.resize(place + 1, Span::default());
            }
            let span = &mut self.spans[place];
            if span.round != self.round {
                *span = Span { round: self.round, start: 0, end: 0 };
                self.questions.push(question);
            }
            span.end += 1;
            count += 1;
        }
        let mut next = 0;
        for question in &self.questions {
            let span = &mut self.spans[usize_of(*question)];
            let length = std::mem::replace(&mut span.end, next);
            span.start = next;
            next += length;
        }
        // Whatever fills the room is written over.
        if let Some(filler) = self.items.first().copied().filter(|_| self.items.len() < count) {
            self.items.resize(count, filler);
        }
        for (question, item) in items {
            let span = &mut self.spans[usize_of(question)];
            self.items[usize_of(span.end)] = item;
            span.end += 1;
        }
    }

    /// The questions of which there are any, in no particular order.
    pub(super) fn questions(&self) -> &[u32] {
        &self.questions
    }

    /// A question's items.
    pub(super) fn of(&self, question: u32) -> &[T] {
        let span = self.spans.get(usize_of(question)).filter(|span| span.round == self.round);
        span.map_or(&[], |span| &self.items[usize_of(span.start)..usize_of(span.end)])
    }

    /// Puts each question's items in an order of their own.
    pub(super) fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K) {
        for question in &self.questions {
            let Span { start, end, .. } = self.spans[usize_of(*question)];
            self.items[usize_of(start)..usize_of(end)].sort_unstable_by_key(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_earlier_round_is_left() {
        let mut grouped = ByQuestion::default();
        grouped.group([(3, 'a'), (1, 'b'), (3, 'c')].into_iter());
        assert_eq!((grouped.of(3), grouped.of(1), grouped.of(0)), (&['a', 'c'][..], &['b'][..], &[][..]));
        assert_eq!(grouped.questions(), [3, 1]);
        grouped.group([(7, 'd')].into_iter());
        assert_eq!((grouped.of(3), grouped.of(7), grouped.of(9)), (&[][..], &['d'][..], &[][..]));
        grouped.group([(7, 'z'), (2, 'y'), (7, 'x')].into_iter());
        grouped.sort_by_key(|item| *item);
        assert_eq!((grouped.of(7), grouped.of(2)), (&['x', 'z'][..], &['y'][..]));
        grouped.group([].into_iter());
        assert_eq!((grouped.of(7), grouped.questions()), (&[][..], &[][..]));
    }
}
