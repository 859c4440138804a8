//! What criterion has written: for each bench a directory with `benchmark.json` and `estimates.json`.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::Failure;

/// What one bench took.
#[derive(Debug, Clone)]
pub(crate) struct Estimate {
    pub(crate) group: String,
    pub(crate) name: String,
    /// Nanoseconds of one iteration: the median, and between what it lies with 95 % confidence.
    pub(crate) median: f64,
    pub(crate) between: [f64; 2],
    /// Bytes or entries of one iteration.
    pub(crate) amount: Option<f64>,
    all: Value,
}

impl Estimate {
    fn of(benchmark: &Value, estimates: Value) -> Option<Self> {
        let median = &estimates["median"];
        let interval = &median["confidence_interval"];
        let throughput = benchmark["throughput"].as_object();
        Some(Self {
            group: benchmark["group_id"].as_str()?.to_owned(),
            name: benchmark["function_id"].as_str()?.to_owned(),
            median: median["point_estimate"].as_f64()?,
            between: [interval["lower_bound"].as_f64()?, interval["upper_bound"].as_f64()?],
            amount: throughput.and_then(|throughput| throughput.values().next()?.as_f64()),
            all: estimates,
        })
    }

    /// How much of it is done in a second.
    pub(crate) fn per_second(&self) -> Option<f64> {
        self.amount.map(|amount| amount * 1e9 / self.median)
    }

    pub(crate) fn raw(&self) -> Value {
        json!({ "group": self.group, "name": self.name, "amount": self.amount, "nanoseconds": self.all })
    }
}

/// All of them, in the order in which they were written.
pub(crate) fn read(home: &Path) -> Result<Vec<Estimate>, Failure> {
    let mut dated = Vec::new();
    collect(home, &mut dated)?;
    if dated.is_empty() {
        return Err("nothing was measured: does the filter match no bench?".into());
    }
    dated.sort_by_key(|(written, _)| *written);
    Ok(dated.into_iter().map(|(_, estimate)| estimate).collect())
}

fn collect(directory: &Path, dated: &mut Vec<(SystemTime, Estimate)>) -> Result<(), Failure> {
    if !directory.is_dir() {
        return Ok(());
    }
    let file = directory.join("estimates.json");
    if directory.ends_with("new") && file.is_file() {
        let json = |path: &Path| -> Result<Value, Failure> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
        let estimate = Estimate::of(&json(&directory.join("benchmark.json"))?, json(&file)?);
        let estimate = estimate.ok_or_else(|| format!("{} is not as criterion wrote it", file.display()))?;
        dated.push((fs::metadata(&file)?.modified()?, estimate));
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        collect(&entry?.path(), dated)?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of a bench that took so many nanoseconds.
    pub(crate) fn estimate(group: &str, name: &str, nanoseconds: f64, amount: Option<u64>) -> Estimate {
        let (benchmark, estimates) = written(group, name, nanoseconds, amount);
        Estimate::of(&benchmark, estimates).unwrap()
    }

    fn written(group: &str, name: &str, nanoseconds: f64, amount: Option<u64>) -> (Value, Value) {
        let throughput = amount.map(|amount| json!({ "Bytes": amount }));
        let interval = json!({"lower_bound": nanoseconds - 1.0, "upper_bound": nanoseconds + 1.0});
        (
            json!({"group_id": group, "function_id": name, "value_str": null, "throughput": throughput}),
            json!({"median": {"confidence_interval": interval, "point_estimate": nanoseconds}}),
        )
    }

    #[test]
    fn what_criterion_wrote_is_found_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        for (place, name) in [("a/1/new", "one"), ("a/1/base", "before"), ("a/2/new", "two")] {
            let directory = home.path().join(place);
            fs::create_dir_all(&directory).unwrap();
            let (benchmark, estimates) = written("a", name, 2000.0, Some(1000));
            fs::write(directory.join("benchmark.json"), benchmark.to_string()).unwrap();
            fs::write(directory.join("estimates.json"), estimates.to_string()).unwrap();
        }
        let mut found = read(home.path()).unwrap();
        found.sort_by_key(|estimate| estimate.name.clone());
        let names: Vec<_> = found.iter().map(|estimate| estimate.name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
        assert_eq!((found[0].between, found[0].per_second()), ([1999.0, 2001.0], Some(5e8)));
        assert!(read(&home.path().join("nowhere")).unwrap_err().to_string().contains("filter"));
    }
}
