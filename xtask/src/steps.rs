//! Progress on the terminal.
use tokio::time::Instant;

/// A numbered line for each step, and how long it took.
pub struct Steps {
    count: u8,
    number: u8,
    began: Option<Instant>,
}

impl Steps {
    pub fn new(count: u8) -> Self {
        Self {
            count,
            number: 0,
            began: None,
        }
    }

    pub fn begin(&mut self, what: &str) {
        self.end();
        self.number += 1;
        self.began = Some(Instant::now());
        println!("[{}/{}] {what}", self.number, self.count);
    }

    pub fn note(&self, text: &str) {
        println!("      {text}");
    }

    pub fn end(&mut self) {
        if let Some(began) = self.began.take() {
            println!("      {:.1} s", began.elapsed().as_secs_f32());
        }
    }
}
