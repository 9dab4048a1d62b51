//! Countries: the two capital letters of ISO 3166-1 alpha-2, as officially assigned.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A country.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

/// Letters that no country has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a country: write two capital letters of ISO 3166-1, such as DE or US")]
pub struct UnknownCountry {
    /// What was given, cut to a printable length.
    pub given: String,
}

impl Country {
    /// The country as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // They were read from ASCII letters.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::str::FromStr for Country {
    type Err = UnknownCountry;
    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        let known = ASSIGNED.split_ascii_whitespace().find(|code| *code == text);
        let bytes = known.and_then(|code| code.as_bytes().try_into().ok());
        bytes.map(Self).ok_or_else(|| UnknownCountry { given: text.chars().take(64).collect() })
    }
}

impl TryFrom<String> for Country {
    type Error = UnknownCountry;
    fn try_from(text: String) -> Result<Self, UnknownCountry> {
        text.parse()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.as_str().to_owned()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

/// The 249 officially assigned codes.
const ASSIGNED: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE \
EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM \
HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC \
LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_those_of_the_standard() {
        let all: Vec<_> = ASSIGNED.split_ascii_whitespace().collect();
        assert_eq!(all.len(), 249);
        assert!(all.is_sorted_by(|a, b| a < b), "each once, in order");
        for code in all {
            assert_eq!(code.parse::<Country>().unwrap().as_str(), code);
        }
        for bad in ["", "D", "de", "De", "DEU", "DE US", " DE", "DE\n", "276", "\u{414}\u{415}"] {
            assert!(bad.parse::<Country>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn of_all_pairs_of_letters_only_the_assigned_ones_are_countries() {
        let pairs = ('A'..='Z').flat_map(|a| ('A'..='Z').map(move |b| format!("{a}{b}")));
        let taken = pairs.filter(|pair| pair.parse::<Country>().is_ok()).count();
        assert_eq!(taken, 249);
        // Left to users for good, reserved, or a country no more.
        let users = ["AA", "QM", "QZ", "XA", "XK", "XX", "XZ", "ZZ"];
        let reserved = ["AC", "CP", "DG", "EA", "EU", "EZ", "IC", "SU", "TA", "UK", "UN"];
        let former = ["AN", "BU", "CS", "DD", "FX", "NT", "TP", "YU", "ZR"];
        for bad in users.iter().chain(&reserved).chain(&former) {
            assert!(bad.parse::<Country>().is_err(), "{bad}");
        }
    }
}
