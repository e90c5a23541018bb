//! How steeply something grows: a line through points by least squares, with what it may be instead.

/// The steepness of a line through points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slope {
    /// What it most likely is.
    pub(crate) rise: f64,
    /// Half the width of the range in which it is with 95 in 100.
    pub(crate) bound: f64,
}

/// Two standard errors: 95 in 100, where there are some dozens of points.
const STANDARD_ERRORS: f64 = 2.0;

impl Slope {
    /// Through these points, in any order. Nothing when there are fewer than three, or all are at one
    /// place.
    pub(crate) fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = f64::from(u32::try_from(points.len()).ok()?);
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (middle, level) = (mean(|it| it.0), mean(|it| it.1));
        let spread: f64 = points.iter().map(|(x, _)| (x - middle).powi(2)).sum();
        if points.len() < 3 || spread == 0.0 {
            return None;
        }
        let together: f64 = points.iter().map(|(x, y)| (x - middle) * (y - level)).sum();
        let rise = together / spread;
        let left: f64 = points
            .iter()
            .map(|(x, y)| (y - level - rise * (x - middle)).powi(2))
            .sum();
        let error = (left / (count - 2.0) / spread).sqrt();
        Some(Self {
            rise,
            bound: STANDARD_ERRORS * error,
        })
    }

    /// The steepest that it may be.
    pub(crate) fn high(self) -> f64 {
        self.rise + self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_found_and_what_scatters_around_it_widens_its_bound() {
        let line: Vec<(f64, f64)> = (0..50).map(f64::from).map(|x| (x, 3.0 * x + 7.0)).collect();
        let found = Slope::through(&line).unwrap();
        assert!(
            (found.rise - 3.0).abs() < 1e-9 && found.bound < 1e-6,
            "{found:?}"
        );
        let scattered: Vec<(f64, f64)> = (0..50)
            .map(|x| (f64::from(x), f64::from(x % 2) * 10.0))
            .collect();
        let found = Slope::through(&scattered).unwrap();
        assert!(
            found.high() > 0.0 && found.rise.abs() < found.bound,
            "{found:?}"
        );
    }

    #[test]
    fn two_points_say_nothing() {
        assert_eq!(Slope::through(&[(0.0, 0.0), (1.0, 1.0)]), None);
        assert_eq!(Slope::through(&[(1.0, 0.0), (1.0, 1.0), (1.0, 2.0)]), None);
    }
}
