//! `suvidha gst 3b`: the return with which tax is paid.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use suvidha_client::{
    AutoLiability, CashPayment, CreditPayment, DifferentCell, Error, Gstr3b, Gstr3bSummary, Interest,
    InterestLine, LiabilityKind, MinorHeads, Offset, OffsetProposal, Patience, PayableLine, Rupees, Taxes,
    Validation,
};

use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields, table};

use super::filing::{SignatureOptions, filed};
use super::inward::{answer, day, heads};
use super::place::SessionPlace;
use super::returns::{Period, ended, read_payload, show_started};

/// `suvidha gst 3b …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Gstr3bCommand {
    /// What GSTN has drawn for the return from GSTR-1 and GSTR-2B
    Liability {
        #[command(flatten)]
        period: Period,
        /// Write a GSTR-3B that declares it, to be completed and saved
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
    },
    /// Compare a return with what GSTN has drawn; nothing is saved
    Validate(Payload),
    /// Save a return in place of what was saved
    Save {
        #[command(flatten)]
        payload: Payload,
        /// Wait until GSTN has worked on it
        #[arg(long)]
        wait: bool,
    },
    /// What was saved, what is owed for it, and how it was paid
    Summary(Period),
    /// The interest that GSTN has computed for tax that was paid late with the return before
    Interest(Period),
    /// Pay what is owed: from credit in the order of the law, and the rest in cash
    Offset(OffsetOptions),
    /// Ask what has become of a save or an offset
    Status {
        #[command(flatten)]
        period: Period,
        /// What `save` or `offset` printed
        reference_id: String,
        /// Wait until GSTN has worked on it
        #[arg(long)]
        wait: bool,
    },
    /// File the return, signed with an OTP sent to the signatory or with a DSC. There is no way back
    File {
        #[command(flatten)]
        period: Period,
        #[command(flatten)]
        signature: SignatureOptions,
    },
}

/// A return as a file.
#[derive(Debug, Args)]
pub(crate) struct Payload {
    #[command(flatten)]
    period: Period,
    /// The return: GSTR-3B JSON as GSTN defines it; `-` is standard input
    file: PathBuf,
}

/// `suvidha gst 3b offset`.
#[derive(Debug, Args)]
pub(crate) struct OffsetOptions {
    #[command(flatten)]
    period: Period,
    /// An offset of one's own, in place of the one that is worked out: JSON as GSTN defines RETOFFSET; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    payload: Option<PathBuf>,
    /// Show what would be sent, and the cash that is missing for it, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait until GSTN has done it
    #[arg(long)]
    wait: bool,
}

impl Gstr3bCommand {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let taxpayer = place.open()?;
        match self {
            Self::Liability { period, write } => {
                let drawn = taxpayer.gstr3b(period.period).auto_liability().await?;
                if let Some(path) = &write {
                    let text = format!("{:#}\n", drawn.to_return());
                    fs::write(path, text).map_err(|error| {
                        Failure::io(Exit::Io, format_args!("cannot write {}", path.display()), &error)
                    })?;
                }
                output.show(&Drawn(drawn))
            }
            Self::Validate(payload) => {
                let gstr3b = taxpayer.gstr3b(payload.period.period);
                output.show(&Compared(gstr3b.validate(read_payload(&payload.file)?).await?))
            }
            Self::Save { payload, wait } => {
                let json = read_payload(&payload.file)?;
                let gstr3b = taxpayer.gstr3b(payload.period.period);
                let reference_id = gstr3b.save(json).await?;
                finish(&gstr3b, reference_id, wait, output).await
            }
            Self::Summary(period) => match taxpayer.gstr3b(period.period).summary().await {
                Err(Error::NoDocuments(_)) => output.show(&Summed(None)),
                summary => output.show(&Summed(Some(summary?))),
            },
            Self::Interest(period) => match taxpayer.gstr3b(period.period).interest().await {
                Err(Error::NoDocuments(_)) => output.show(&Computed(Interest::default())),
                interest => output.show(&Computed(interest?)),
            },
            Self::Offset(options) => options.run(&taxpayer, output).await,
            Self::Status { period, reference_id, wait } => {
                let gstr3b = taxpayer.gstr3b(period.period);
                if wait {
                    return finish(&gstr3b, reference_id, true, output).await;
                }
                ended(gstr3b.status(&reference_id).await?, reference_id, output)
            }
            Self::File { period, signature } => {
                let gstr3b = taxpayer.gstr3b(period.period);
                let (dsc, summary, pan) = (signature.dsc()?, gstr3b.summary().await?, &signature.pan);
                let ack_num = match dsc {
                    Some(dsc) => gstr3b.file_with_dsc(&summary, pan, &dsc).await?,
                    None => {
                        gstr3b.request_evc_otp(pan).await?;
                        gstr3b.file_with_evc(&summary, pan, signature.otp()?.expose()).await?
                    }
                };
                filed("GSTR-3B", &taxpayer, period.period, ack_num, output)
            }
        }
    }
}

async fn finish(gstr3b: &Gstr3b, reference_id: String, wait: bool, output: Output) -> Result<(), Failure> {
    if !wait {
        return show_started(reference_id, output);
    }
    ended(gstr3b.wait(&reference_id, Patience::default()).await?, reference_id, output)
}

impl OffsetOptions {
    async fn run(self, taxpayer: &suvidha_client::Taxpayer, output: Output) -> Result<(), Failure> {
        let gstr3b = taxpayer.gstr3b(self.period.period);
        let offset = match &self.payload {
            Some(path) => read_offset(path)?,
            None => {
                let balance = taxpayer.ledger_balance(self.period.period).await?;
                let proposal = gstr3b.summary().await?.propose_offset(&balance)?;
                if self.dry_run {
                    return output.show(&Proposed(proposal));
                }
                if !proposal.is_covered() {
                    let missing = proposal.missing_cash.total();
                    return Err(Failure::new(
                        Exit::Refused,
                        format_args!("the cash ledger lacks {missing} rupees"),
                    )
                    .remedy(
                        "Pay them in by challan; `suvidha gst 3b offset --dry-run` tells into which cells.",
                    ));
                }
                proposal.offset
            }
        };
        let reference_id = gstr3b.offset(&offset).await?;
        finish(&gstr3b, reference_id, self.wait, output).await
    }
}

fn read_offset(path: &PathBuf) -> Result<Offset, Failure> {
    let wrong = |what: &dyn std::fmt::Display| {
        Failure::new(Exit::Data, format_args!("{} is no offset (RETOFFSET): {what}", path.display()))
    };
    let given: suvidha_client::TaxPayment =
        serde_json::from_slice(&read_payload(path)?).map_err(|error| wrong(&error))?;
    match given.offset() {
        offset if offset == Offset::new() => Err(wrong(&"it pays nothing (pdcash, pditc, pdnls)")),
        offset => Ok(offset),
    }
}

struct Drawn(AutoLiability);

impl Serialize for Drawn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.raw.serialize(serializer)
    }
}

impl Answer for Drawn {
    fn words(&self) -> String {
        let (drawn, supplies, credit) = (&self.0, &self.0.supplies, &self.0.credit);
        let on = |date: Option<suvidha_client::Date>| {
            date.map_or_else(|| "not yet".to_owned(), |date| date.to_string())
        };
        let mut words = fields(&[
            ("GSTR-1 filed", on(drawn.gstr1_filed_on)),
            ("GSTR-2B generated", on(drawn.gstr2b_generated_on)),
        ]);
        for missing in &drawn.missing {
            words.push_str(&format!("{}: {}\n", missing.code, missing.message));
        }
        let lines = [
            ("3.1(a) taxable", supplies.taxable),
            ("3.1(b) zero-rated", supplies.zero_rated),
            ("3.1(c) nil-rated, exempt", supplies.nil_or_exempt),
            ("3.1(d) reverse charge", supplies.reverse_charge),
            ("3.1(e) outside GST", supplies.outside_gst),
            ("3.1.1(i) as operator", supplies.operator),
            ("3.1.1(ii) through operator", supplies.through_operator),
            ("4(A)(1) imports", credit.imports),
            ("4(A)(3) reverse charge", credit.reverse_charge),
            ("4(A)(4) distributors", credit.distributors),
            ("4(A)(5) other credit", credit.other),
            ("4(B)(2) to be reversed", credit.reversed),
            ("4(C) net credit", credit.net()),
            ("4(D)(2) not available", credit.unavailable),
        ];
        let line = |(name, taxes): &(&str, Taxes)| {
            let [igst, cgst, sgst, cess] = heads(taxes);
            [(*name).to_owned(), taxes.taxable.to_string(), igst, cgst, sgst, cess]
        };
        let rows: Vec<_> = lines.iter().map(line).collect();
        format!("{words}\n{}", table(["TABLE", "TAXABLE", "IGST", "CGST", "SGST", "CESS"], &rows))
    }
}

struct Compared(Validation);

impl Serialize for Compared {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.raw.serialize(serializer)
    }
}

impl Answer for Compared {
    fn words(&self) -> String {
        let told = &self.0;
        let mut words = fields(&[("valid", if told.valid { "yes" } else { "no" }.to_owned())]);
        if !told.message.is_empty() {
            words.push_str(&format!("{}\n", told.message));
        }
        let line = |cell: &DifferentCell| {
            let pos = cell.place_of_supply.clone().unwrap_or_default();
            [cell.table.clone(), cell.cell.clone(), pos, cell.fields.join(" ")]
        };
        let rows: Vec<_> = told.differences.iter().map(line).collect();
        if !rows.is_empty() {
            words.push('\n');
            words.push_str(&table(["TABLE", "CELL", "STATE", "DIFFERS IN"], &rows));
        }
        words
    }
}

struct Summed(Option<Gstr3bSummary>);

impl Serialize for Summed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        answer(self.0.as_ref().map_or(&Value::Null, Gstr3bSummary::value)).serialize(serializer)
    }
}

fn liability(kind: LiabilityKind) -> String {
    match kind {
        LiabilityKind::Other => "other".to_owned(),
        LiabilityKind::ReverseCharge => "reverse charge".to_owned(),
        unknown => unknown.code().to_string(),
    }
}

/// The minor heads of one kind of liability that are not nothing, as lines.
fn minor_lines(what: &str, kind: LiabilityKind, heads: [MinorHeads; 4]) -> Vec<[String; 7]> {
    let minors = [
        ("tax", heads.map(|head| head.tax)),
        ("interest", heads.map(|head| head.interest)),
        ("late fee", heads.map(|head| head.fee)),
    ];
    minors.into_iter().filter_map(|(name, amounts)| amounts_line(what, kind, name, amounts)).collect()
}

/// None where there is nothing.
fn amounts_line(what: &str, kind: LiabilityKind, of: &str, amounts: [Rupees; 4]) -> Option<[String; 7]> {
    amounts.iter().any(|amount| !amount.is_zero()).then_some(())?;
    let [igst, cgst, sgst, cess] = amounts.map(|amount| amount.to_string());
    Some([what.to_owned(), liability(kind), of.to_owned(), igst, cgst, sgst, cess])
}

fn owed(what: &str, line: &PayableLine) -> Vec<[String; 7]> {
    minor_lines(what, line.kind, [line.igst, line.cgst, line.sgst, line.cess])
}

fn by_cash(paid: &CashPayment) -> Vec<[String; 7]> {
    let taxes = [paid.igst, paid.cgst, paid.sgst, paid.cess];
    let interest = [paid.igst_interest, paid.cgst_interest, paid.sgst_interest, paid.cess_interest];
    let fees = [Rupees::ZERO, paid.cgst_fee, paid.sgst_fee, Rupees::ZERO];
    let lines = [("tax", taxes), ("interest", interest), ("late fee", fees)];
    let line = |(of, amounts)| amounts_line("paid in cash", paid.kind, of, amounts);
    lines.into_iter().filter_map(line).collect()
}

fn by_credit(paid: &CreditPayment) -> Vec<[String; 7]> {
    let zero = Rupees::ZERO;
    let lines = [
        ("by credit of IGST", [paid.igst_by_igst, paid.cgst_by_igst, paid.sgst_by_igst, zero]),
        ("by credit of CGST", [paid.igst_by_cgst, paid.cgst_by_cgst, zero, zero]),
        ("by credit of SGST", [paid.igst_by_sgst, zero, paid.sgst_by_sgst, zero]),
        ("by credit of cess", [zero, zero, zero, paid.cess_by_cess]),
    ];
    lines.into_iter().filter_map(|(what, amounts)| amounts_line(what, paid.kind, "tax", amounts)).collect()
}

fn paid(offset: &Offset) -> Vec<[String; 7]> {
    let negative = offset.negative.iter().map(|paid| {
        let [igst, cgst, sgst, cess] = heads(&paid.taxes());
        ["by negative liability".to_owned(), liability(paid.kind), "tax".to_owned(), igst, cgst, sgst, cess]
    });
    let credit = offset.credit.iter().flat_map(by_credit);
    negative.chain(credit).chain(offset.cash.iter().flat_map(by_cash)).collect()
}

const HEADINGS: [&str; 7] = ["WHAT", "LIABILITY", "OF", "IGST", "CGST", "SGST", "CESS"];

impl Answer for Summed {
    fn words(&self) -> String {
        let Some(summary) = &self.0 else { return "nothing saved\n".to_owned() };
        let payment = summary.payment();
        let mut rows: Vec<_> = payment.payable.iter().flat_map(|line| owed("owed", line)).collect();
        rows.extend(payment.adjusted.iter().flat_map(|line| owed("less negative liability", line)));
        rows.extend(paid(&payment.offset()));
        let [igst, cgst, sgst, cess] = heads(&summary.net_credit());
        rows.push(["net credit, 4(C)".to_owned(), String::new(), "tax".to_owned(), igst, cgst, sgst, cess]);
        table(HEADINGS, &rows)
    }
}

/// What would be sent, and what is missing for it.
struct Proposed(OffsetProposal);

impl Serialize for Proposed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lacks = &self.0.missing_cash;
        let cells = |head: &MinorHeads| json!({"tx": head.tax, "intr": head.interest, "fee": head.fee});
        let missing = json!({"igst": cells(&lacks.igst), "cgst": cells(&lacks.cgst), "sgst": cells(&lacks.sgst),
            "cess": cells(&lacks.cess), "total": lacks.total()});
        json!({"offset": self.0.offset, "missing_cash": missing}).serialize(serializer)
    }
}

impl Answer for Proposed {
    fn words(&self) -> String {
        let mut rows = paid(&self.0.offset);
        let lacks = &self.0.missing_cash;
        for mut line in minor_lines(
            "missing in cash",
            LiabilityKind::Other,
            [lacks.igst, lacks.cgst, lacks.sgst, lacks.cess],
        ) {
            line[1].clear();
            rows.push(line);
        }
        if rows.is_empty() { "nothing is to be paid\n".to_owned() } else { table(HEADINGS, &rows) }
    }
}

struct Computed(Interest);

impl Serialize for Computed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        answer(&self.0.raw).serialize(serializer)
    }
}

impl Answer for Computed {
    fn words(&self) -> String {
        let line = |line: &InterestLine| {
            let period = line.period.map(|period| period.to_string()).unwrap_or_default();
            line.rates
                .iter()
                .map(|rate| {
                    let [igst, cgst, sgst, cess] = heads(&rate.interest);
                    [
                        period.clone(),
                        day(rate.from),
                        day(rate.to),
                        rate.rate.to_string(),
                        igst,
                        cgst,
                        sgst,
                        cess,
                    ]
                })
                .collect::<Vec<_>>()
        };
        let rows: Vec<_> = self.0.lines.iter().flat_map(line).collect();
        if rows.is_empty() {
            return "no interest\n".to_owned();
        }
        table(["PERIOD", "FROM", "TO", "PER CENT", "IGST", "CGST", "SGST", "CESS"], &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_tells_how_it_pays_and_what_is_missing() {
        let payment: suvidha_client::TaxPayment = serde_json::from_str(
            r#"{"tx_py": [{"trans_typ": 30002, "liab_ldg_id": 7, "igst": {"tx": 100}, "cgst": {"tx": 50, "fee": 75}, "sgst": {"tx": 0, "fee": 75}}]}"#,
        )
        .unwrap();
        let credit = Taxes::by_head(Rupees::from_paise(12_000), Rupees::ZERO, Rupees::ZERO, Rupees::ZERO);
        let proposal = suvidha_client::propose_offset(&payment, &credit, &Default::default()).unwrap();
        let expected = "\
WHAT               LIABILITY  OF        IGST    CGST   SGST   CESS
by credit of IGST  other      tax       100.00  20.00  0.00   0.00
paid in cash       other      tax       0.00    30.00  0.00   0.00
paid in cash       other      late fee  0.00    75.00  75.00  0.00
missing in cash               tax       0.00    30.00  0.00   0.00
missing in cash               late fee  0.00    75.00  75.00  0.00
";
        let proposed = Proposed(proposal);
        assert_eq!(proposed.words(), expected);
        let json = serde_json::to_value(&proposed).unwrap();
        assert_eq!(
            (&json["missing_cash"]["total"], &json["offset"]["pditc"]["c_pdi"]),
            (&180.into(), &20.into())
        );
    }

    #[test]
    fn nothing_is_told_in_words() {
        assert_eq!(Summed(None).words(), "nothing saved\n");
        assert_eq!(serde_json::to_string(&Summed(None)).unwrap(), "{}");
        assert_eq!(Computed(Interest::default()).words(), "no interest\n");
    }
}
