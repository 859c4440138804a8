//! What a recipient decides: the rows of SAVE and RESETIMS.

use std::collections::BTreeMap;

use gstn::Gstin;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::record::{ImsAction, ImsRecord, ImsSection};
use crate::error::Error;
use crate::taxes::Taxes;

/// What of a row a save gives back, as GSTN told it.
const IDENTITY: [&str; 31] = [
    "stin",
    "rtnprd",
    "srcform",
    "inum",
    "idt",
    "nt_num",
    "nt_dt",
    "oinum",
    "oidt",
    "ont_num",
    "ont_dt",
    "inv_typ",
    "pos",
    "val",
    "txval",
    "iamt",
    "camt",
    "samt",
    "cess",
    "hash",
    "rgstinrefId",
    "irefdt",
    "itcprd",
    "portcd",
    "boenum",
    "boedt",
    "igst",
    "srtinprd",
    "oboenum",
    "oboedt",
    "oportcd",
];

/// What is done with a record. [`ImsRecord::accept`] and its like make one.
#[derive(Debug, Clone)]
#[must_use]
pub struct ImsDecision {
    section: ImsSection,
    number: String,
    action: ImsAction,
    may_be_pending: bool,
    reduction: Option<Reduction>,
    remarks: Option<String>,
    row: Row,
}

#[derive(Debug, Clone, Copy)]
enum Reduction {
    All,
    Part(Taxes),
    Nothing,
}

type Row = BTreeMap<String, Box<RawValue>>;

impl ImsDecision {
    pub(super) fn new(record: &ImsRecord, action: ImsAction) -> Self {
        Self {
            section: record.section,
            number: record.number.clone(),
            action,
            may_be_pending: record.may_be_pending,
            reduction: None,
            remarks: None,
            row: identity(record),
        }
    }

    /// Why: the supplier sees it.
    pub fn remarks(mut self, remarks: impl Into<String>) -> Self {
        self.remarks = Some(remarks.into().trim().to_owned()).filter(|remarks| !remarks.is_empty());
        self
    }

    /// With the acceptance of what takes credit away: all of that credit was claimed, and is reversed.
    pub fn reverse_all(self) -> Self {
        Self { reduction: Some(Reduction::All), ..self }
    }

    /// With the acceptance of what takes credit away: so much of that credit was claimed, and is reversed. Needs
    /// [`remarks`](Self::remarks).
    pub fn reverse(self, taxes: Taxes) -> Self {
        Self { reduction: Some(Reduction::Part(taxes)), ..self }
    }

    /// With the acceptance of what takes credit away: none of that credit was claimed, and nothing is reversed. Needs
    /// [`remarks`](Self::remarks).
    pub fn reverse_nothing(self) -> Self {
        Self { reduction: Some(Reduction::Nothing), ..self }
    }

    /// Says at once what GSTN would say after a while.
    fn check(&self) -> Result<(), Error> {
        let refuse =
            |why: &str| Err(Error::Invalid(format!("{} {}: {why}", self.section.as_str(), self.number)));
        match (self.action, self.reduction) {
            (ImsAction::Pending, _) if !self.may_be_pending => {
                refuse("GSTN does not let it be kept pending; accept or reject it")
            }
            (ImsAction::Rejected, _) if self.section.is_import() => {
                refuse("a bill of entry cannot be rejected")
            }
            (ImsAction::Accepted, Some(Reduction::Part(_) | Reduction::Nothing))
                if self.remarks.is_none() =>
            {
                refuse("to reverse a part of the credit, or nothing, takes remarks")
            }
            (ImsAction::Rejected | ImsAction::Pending, Some(_)) => {
                refuse("a reversal of credit is declared with an acceptance")
            }
            _ => Ok(()),
        }
    }

    fn row(self) -> Result<Row, Error> {
        self.check()?;
        let mut row = self.row;
        row.insert("action".to_owned(), raw(self.action.as_str())?);
        if let Some(remarks) = &self.remarks {
            row.insert("remarks".to_owned(), raw(remarks)?);
        }
        let required = match self.reduction {
            None => return Ok(row),
            Some(Reduction::Nothing) => "N",
            Some(_) => "Y",
        };
        row.insert("itcRedReq".to_owned(), raw(required)?);
        if let Some(Reduction::Part(taxes)) = self.reduction {
            for (name, amount) in
                ["declIgst", "declCgst", "declSgst", "declCess"].into_iter().zip(taxes.heads())
            {
                row.insert(name.to_owned(), raw(&amount)?);
            }
        }
        Ok(row)
    }
}

/// The row without what GSTN adds for show, and with the action so far.
fn identity(record: &ImsRecord) -> Row {
    let known = |name: &str| Some((name.to_owned(), record.row.get(name)?.clone()));
    let mut row: Row = IDENTITY.into_iter().filter_map(known).collect();
    if let Ok(action) = raw(record.action.as_str()) {
        row.insert("prev_status".to_owned(), action);
    }
    row
}

fn raw<T: Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>, Error> {
    to_raw_value(value).map_err(|error| Error::Invalid(format!("cannot be written as JSON: {error}")))
}

/// The payload of SAVE and RESETIMS.
#[derive(Debug, Serialize)]
pub(super) struct Payload {
    rtin: String,
    reqtyp: &'static str,
    invdata: BTreeMap<&'static str, Vec<Row>>,
}

impl Payload {
    fn new(gstin: &Gstin, reqtyp: &'static str, rows: Vec<(ImsSection, Row)>) -> Result<Self, Error> {
        if rows.is_empty() {
            return Err(Error::Invalid("there is no record to act on".to_owned()));
        }
        let mut invdata: BTreeMap<_, Vec<Row>> = BTreeMap::new();
        for (section, row) in rows {
            invdata.entry(section.as_str()).or_default().push(row);
        }
        Ok(Self { rtin: gstin.as_str().to_owned(), reqtyp, invdata })
    }
}

pub(super) fn saving(
    gstin: &Gstin,
    decisions: impl IntoIterator<Item = ImsDecision>,
) -> Result<Payload, Error> {
    let rows: Result<Vec<_>, _> =
        decisions.into_iter().map(|decision| Ok((decision.section, decision.row()?))).collect();
    Payload::new(gstin, "SAVE", rows?)
}

pub(super) fn resetting<'a>(
    gstin: &Gstin,
    records: impl IntoIterator<Item = &'a ImsRecord>,
) -> Result<Payload, Error> {
    let rows = records.into_iter().map(|record| (record.section, identity(record))).collect();
    Payload::new(gstin, "RESET", rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::record::ImsRecords;
    use super::*;
    use crate::rupees::Rupees;

    const ROWS: &str = r#"{"b2b": [{"stin": "27AAPFU0939F1ZV", "rtnprd": "042026", "srcform": "R1", "inum": "A/1", "idt": "05-04-2026",
        "inv_typ": "R", "pos": "33", "val": 90071992547409.93, "txval": 100.00, "iamt": 18, "camt": 0, "samt": 0, "cess": 0,
        "action": "N", "srcfilstatus": "Filed", "ispendactblocked": "N", "hash": "h", "tradeNam": "shown"}],
        "b2bcn": [{"nt_num": "C1", "action": "A", "ispendactblocked": "Y", "isItcRedReqBlocked": "N"}],
        "impg": [{"boenum": "1", "action": "N"}]}"#;

    fn records() -> Vec<ImsRecord> {
        ImsRecords::read(ROWS.as_bytes()).unwrap().records
    }

    fn gstin() -> Gstin {
        "33AANCS2882A1ZG".parse().unwrap()
    }

    #[test]
    fn a_save_gives_the_record_back_to_the_digit() {
        let payload = saving(&gstin(), [records()[0].reject().remarks(" not ours ")]).unwrap();
        let text = serde_json::to_string(&payload).unwrap();
        assert!(text.contains("\"val\":90071992547409.93") && text.contains("\"txval\":100.00"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json["rtin"], &json["reqtyp"]), (&json!("33AANCS2882A1ZG"), &json!("SAVE")));
        let row = &json["invdata"]["b2b"][0];
        assert_eq!(
            (&row["action"], &row["prev_status"], &row["remarks"]),
            (&json!("R"), &json!("N"), &json!("not ours"))
        );
        for shown in ["srcfilstatus", "ispendactblocked", "tradeNam"] {
            assert!(row.get(shown).is_none(), "{row}");
        }
    }

    #[test]
    fn a_reduction_is_declared_in_whole_in_part_or_not_at_all() {
        let note = &records()[1];
        let row = |decision: ImsDecision| {
            let payload = saving(&gstin(), [decision]).unwrap();
            serde_json::to_value(&payload).unwrap()["invdata"]["b2bcn"][0].clone()
        };
        let all = row(note.accept().reverse_all());
        assert_eq!(
            (&all["itcRedReq"], &all["prev_status"], all.get("declIgst")),
            (&json!("Y"), &json!("A"), None)
        );
        let part = Taxes { igst: Rupees::from_paise(1_050), ..Taxes::default() };
        let part = row(note.accept().reverse(part).remarks("half"));
        assert_eq!(
            (&part["itcRedReq"], &part["declIgst"], &part["declCess"]),
            (&json!("Y"), &json!(10.5), &json!(0))
        );
        assert_eq!(row(note.accept().reverse_nothing().remarks("never claimed"))["itcRedReq"], "N");
    }

    #[test]
    fn what_gstn_would_refuse_is_refused_at_once() {
        let [invoice, note, import] = &records()[..] else { panic!() };
        for (decision, why) in [
            (note.keep_pending(), "pending"),
            (import.reject(), "cannot be rejected"),
            (note.accept().reverse_nothing(), "remarks"),
            (invoice.reject().reverse_all(), "acceptance"),
        ] {
            let error = saving(&gstin(), [decision]).unwrap_err();
            assert!(matches!(error, Error::Invalid(_)) && error.to_string().contains(why), "{error}");
        }
        assert!(saving(&gstin(), []).unwrap_err().to_string().contains("no record"));
        let reset = serde_json::to_value(resetting(&gstin(), [note]).unwrap()).unwrap();
        assert_eq!(
            (&reset["reqtyp"], &reset["invdata"]["b2bcn"][0]["prev_status"]),
            (&json!("RESET"), &json!("A"))
        );
        assert!(reset["invdata"]["b2bcn"][0].get("action").is_none());
    }
}
