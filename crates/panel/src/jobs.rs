//! What takes a while: it goes on in a thread of its own, and a page shows how far it is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use recovery_key::document::FoundSecret;
use web::Say;

use crate::door::random_id;

/// The most that go on at once.
const LIMIT: usize = 8;
/// How long the end of the program waits for what goes on.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an outcome is kept that nobody has taken away.
const KEPT: Duration = Duration::from_secs(15 * 60);

/// What came of a job, as the body of a page. It is shown in whatever language the person reads then.
pub trait Outcome: Send + Sync {
    /// Returns the page's title.
    fn title(&self, say: Say<'_>) -> String;

    /// Returns the page's body: HTML.
    ///
    /// # Errors
    /// What the template says.
    fn body(&self, say: Say<'_>) -> Result<String, askama::Error>;

    /// Returns one of the keys that it found. Its page does not show it: that takes a click of its own.
    fn key(&self, _place: usize) -> Option<&FoundSecret> {
        None
    }
}

/// A step of a job, named by a message: what is done is kept in sight.
#[derive(Clone, Debug)]
pub struct Step {
    /// The message that says what is done.
    pub message: &'static str,
    /// What the message names.
    pub arguments: Vec<(&'static str, String)>,
    /// Whether it is over, and how.
    pub end: Option<bool>,
}

/// How far a job is.
#[derive(Clone, Default)]
pub struct Progress {
    /// Its steps so far.
    pub steps: Vec<Step>,
    /// Of the last step: how much of how much is done, if that is known.
    pub part: Option<(u64, u64)>,
    /// What came of it.
    pub outcome: Option<Arc<dyn Outcome>>,
}

/// Something that goes on.
pub struct Job {
    id: String,
    /// The message that says what it is.
    pub title: &'static str,
    begun: Instant,
    progress: Mutex<Progress>,
    stop: Arc<AtomicBool>,
}

impl Job {
    /// Returns what stands for it in addresses.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns how long it has been going on.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Returns how far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.lock().clone()
    }

    /// Begins a step; the one before has gone well.
    pub fn step(&self, message: &'static str, arguments: &[(&'static str, &str)]) {
        let mut progress = self.lock();
        end_step(&mut progress, true);
        let arguments = arguments.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        progress.steps.push(Step { message, arguments, end: None });
        progress.part = None;
    }

    /// Says anew what the step's message names.
    pub fn update(&self, arguments: &[(&'static str, &str)]) {
        if let Some(step) = self.lock().steps.last_mut() {
            step.arguments = arguments.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        }
    }

    /// Says that the step did not go well.
    pub fn failed(&self) {
        end_step(&mut self.lock(), false);
    }

    /// Says how much of how much of the step is done.
    pub fn part(&self, done: u64, all: u64) {
        self.lock().part = Some((done, all));
    }

    /// Returns whether the person wants it to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Returns what says the same, for work that outlives this borrow.
    pub fn stopper(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let stop = Arc::clone(&self.stop);
        move || stop.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_step(progress: &mut Progress, well: bool) {
    if let Some(last) = progress.steps.last_mut() {
        last.end.get_or_insert(well);
    }
}

/// All that goes on, and what came of it.
#[derive(Default)]
pub struct Jobs(Mutex<BTreeMap<String, Arc<Job>>>);

impl Jobs {
    /// Begins something, in a thread of its own. `work` gives what came of it.
    ///
    /// # Errors
    /// When too much goes on.
    pub fn begin<F>(&self, title: &'static str, work: F) -> Result<Arc<Job>, TooMany>
    where
        F: FnOnce(&Job) -> Arc<dyn Outcome> + Send + 'static,
    {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, job| job.lock().outcome.is_none() || job.elapsed() < KEPT);
        if all.values().filter(|job| job.lock().outcome.is_none()).count() >= LIMIT {
            return Err(TooMany);
        }
        let job = Arc::new(Job {
            id: random_id(),
            title,
            begun: Instant::now(),
            progress: Mutex::default(),
            stop: Arc::default(),
        });
        let own = Arc::clone(&job);
        let thread = std::thread::Builder::new().name("job".to_owned());
        let started = thread.spawn(move || {
            let outcome = work(&own);
            let mut progress = own.lock();
            end_step(&mut progress, true);
            progress.outcome = Some(outcome);
        });
        started.map_err(|_| TooMany)?;
        all.insert(job.id.clone(), Arc::clone(&job));
        Ok(job)
    }

    /// Returns a job.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Asks a job to end. It says itself what came of it.
    pub fn stop(&self, id: &str) {
        if let Some(job) = self.get(id) {
            job.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Forgets what came of a job: the page that showed it was left.
    pub fn forget(&self, id: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.get(id).is_some_and(|job| job.lock().outcome.is_some()) {
            all.remove(id);
        }
    }

    /// Asks all to end, and waits for them a while: a copy that is being made is proven, or taken away again.
    pub fn end_all(&self) {
        let all: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.iter().for_each(|job| job.stop.store(true, Ordering::Relaxed));
        let until = Instant::now() + PATIENCE;
        while all.iter().any(|job| job.lock().outcome.is_none()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Too much goes on already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;
