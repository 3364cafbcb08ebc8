//! What `/clob-markets/{condition}` says that only those who trade want to know.

use domain::{ConditionId, Shares, Tick};
use serde::Deserialize;

use super::Number;
use super::clob::{FeeBody, read_condition, read_fee, read_tick};
use super::lenient::or_default;

/// What a market demands of its orders now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradingTerms {
    /// The condition.
    pub condition: ConditionId,
    /// The price grid.
    pub tick: Tick,
    /// The smallest order.
    pub least: Shares,
    /// Whether orders are accepted; `None` where it is not said.
    pub accepting: Option<bool>,
    /// Whether it settles through the neg-risk contracts.
    pub neg_risk: bool,
    /// Whether it is a market of Protocol V2.
    pub protocol_v2: bool,
    /// The taker fee's rate in millionths.
    pub fee_rate_ppm: u32,
    /// Whether orders that take are held back for a fraction of a second.
    pub taker_delay: bool,
    /// For how many seconds orders that take are held back, as in sports.
    pub seconds_delay: u32,
}

/// The answer of `/clob-markets/{condition}`, of which the outcomes are left out.
#[derive(Deserialize)]
pub(crate) struct RulesBody {
    #[serde(default)]
    c: Option<String>,
    mos: Number,
    mts: Number,
    #[serde(default)]
    ao: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    nr: bool,
    #[serde(default)]
    fd: Option<FeeBody>,
    #[serde(default, deserialize_with = "or_default")]
    itode: bool,
    #[serde(default, deserialize_with = "or_default")]
    sd: u32,
    #[serde(default)]
    v: Option<String>,
}

/// The answer of `/version`.
#[derive(Deserialize)]
pub(crate) struct VersionBody {
    pub(crate) version: u64,
}

impl RulesBody {
    /// The terms, if they are those of `condition`. Nothing is guessed.
    pub(crate) fn into_terms(self, condition: ConditionId) -> Result<TradingTerms, String> {
        if let Some(said) = &self.c
            && read_condition(said) != Ok(condition)
        {
            return Err(format!("they are about condition `{said:.80}`"));
        }
        let protocol_v2 = match self.v.as_deref() {
            None | Some("v1") => false,
            Some("v2") => true,
            Some(other) => return Err(format!("version `{other:.20}`")),
        };
        Ok(TradingTerms {
            condition,
            tick: read_tick(&self.mts)?,
            least: self.mos.0.parse().map_err(|error| format!("smallest order: {error}"))?,
            accepting: self.ao,
            neg_risk: self.nr,
            protocol_v2,
            fee_rate_ppm: self.fd.map_or(Ok(0), |fee| read_fee(&fee.rate, fee.exponent.as_ref()))?,
            taker_delay: self.itode,
            seconds_delay: self.sd,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Terms as they were served for a market of Protocol V2 in October 2026, shortened.
    const SERVED: &str = r#"{"r":{"mi":50,"ma":4.5,"moas":30},"t":[{"t":"6635","o":"Up"}],"mos":5,"mts":0.01,"mbf":1000,"tbf":1000,"ao":true,"cbos":true,"itode":true,"fd":{"r":0.07,"e":1,"to":true},"v":"v2"}"#;

    #[test]
    fn terms_as_they_are_served() {
        let body: RulesBody = serde_json::from_str(SERVED).unwrap();
        let terms = body.into_terms(ConditionId::default()).unwrap();
        assert_eq!((terms.least, terms.tick, terms.accepting), (Shares::whole(5), Tick::CENT, Some(true)));
        assert!(terms.protocol_v2 && terms.taker_delay && !terms.neg_risk);
        assert_eq!((terms.fee_rate_ppm, terms.seconds_delay), (70_000, 0));
    }

    #[test]
    fn nothing_is_guessed() {
        for (from, to) in [(r#""v2""#, r#""v9""#), ("0.01", "0.03"), (r#""mos":5"#, r#""mos":"few""#)] {
            let body: RulesBody = serde_json::from_str(&SERVED.replace(from, to)).unwrap();
            assert!(body.into_terms(ConditionId::default()).is_err(), "{to}");
        }
    }
}
