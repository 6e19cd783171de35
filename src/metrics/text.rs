//! Prometheus' text format 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>), written by hand: it is lines.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use super::Histogram;

/// What a scrape is answered.
#[derive(Default)]
pub struct Exposition(String);

impl Exposition {
    pub fn counter(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'static>, u64)>) {
        self.family(name, "counter", help);
        samples.into_iter().for_each(|(labels, value)| self.sample(name, &labels, value));
    }

    pub fn gauge<'l>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'l>, i64)>) {
        self.family(name, "gauge", help);
        samples.into_iter().for_each(|(labels, value)| self.sample(name, &labels, value));
    }

    /// `unit`: how many of what was counted make one of what is told, a million microseconds a second.
    pub fn histogram<'h, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        unit: f64,
        samples: impl IntoIterator<Item = (Labels<'static>, &'h Histogram<N>)>,
    ) {
        self.family(name, "histogram", help);
        for (labels, histogram) in samples {
            let (bucket, mut so_far) = (format!("{name}_bucket"), 0);
            for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
                so_far += count.get();
                self.sample(&bucket, &labels.with("le", (*bound as f64 / unit).to_string()), so_far);
            }
            so_far += histogram.beyond.get();
            self.sample(&bucket, &labels.with("le", "+Inf".into()), so_far);
            self.sample(&format!("{name}_sum"), &labels, histogram.sum.get() as f64 / unit);
            self.sample(&format!("{name}_count"), &labels, so_far);
        }
    }

    pub fn end(self) -> String {
        self.0
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n"); // a String takes all
    }

    fn sample(&mut self, name: &str, Labels(labels): &Labels, value: impl Display) {
        self.0.push_str(name);
        for (number, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{value}\"", if number == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

/// What tells samples of one name apart.
#[derive(Clone, Default)]
pub struct Labels<'l>(Vec<(&'static str, Cow<'l, str>)>);

impl<'l> Labels<'l> {
    pub fn none() -> Labels<'l> {
        Labels::default()
    }

    pub fn one(name: &'static str, value: impl Into<Cow<'l, str>>) -> Labels<'l> {
        Labels(vec![(name, value.into())])
    }

    pub fn and(mut self, name: &'static str, value: impl Into<Cow<'l, str>>) -> Labels<'l> {
        self.0.push((name, value.into()));
        self
    }

    fn with(&self, name: &'static str, value: String) -> Labels<'l> {
        let mut labels = self.clone();
        labels.0.push((name, value.into()));
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_lines_as_prometheus_reads_them() {
        let mut exposition = Exposition::default();
        exposition.counter("a_total", "What.", [(Labels::one("x", "\"\\\n").and("y", "é"), 7)]);
        exposition.gauge("b", "What.", [(Labels::none(), 3)]);
        let histogram: Histogram<2> = Histogram::new(&[500, 1_000_000]);
        [400, 600, 2_000_000].into_iter().for_each(|value| histogram.observe(value));
        exposition.histogram("c_seconds", "What.", 1e6, [(Labels::one("r", "/"), &histogram)]);
        assert_eq!(
            exposition.end(),
            "# HELP a_total What.\n# TYPE a_total counter\na_total{x=\"\\\"\\\\\\n\",y=\"é\"} 7\n\
             # HELP b What.\n# TYPE b gauge\nb 3\n\
             # HELP c_seconds What.\n# TYPE c_seconds histogram\n\
             c_seconds_bucket{r=\"/\",le=\"0.0005\"} 1\nc_seconds_bucket{r=\"/\",le=\"1\"} 2\nc_seconds_bucket{r=\"/\",le=\"+Inf\"} 3\n\
             c_seconds_sum{r=\"/\"} 2.001\nc_seconds_count{r=\"/\"} 3\n"
        );
    }
}
