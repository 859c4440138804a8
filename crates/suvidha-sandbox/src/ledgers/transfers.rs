//! What moves money between ledgers at the portal, where GSTN has no API for it: PMT-09, refunds, and credit that an
//! officer blocks.

use gstn::Gstin;
use jiff::civil::Date;
use rusqlite::Transaction;
use serde::Deserialize;

use super::journal::{self, Account, Posting, PostingError};
use super::money::{Cells, Head, Heads, Minor};

/// A cell of the cash ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cell {
    pub(crate) head: HeadName,
    #[serde(default)]
    pub(crate) minor: MinorName,
}

/// A tax head as JSON names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HeadName {
    Igst,
    Cgst,
    Sgst,
    Cess,
}

/// A minor head as JSON names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MinorName {
    #[default]
    Tx,
    Intr,
    Pen,
    Fee,
    Oth,
}

impl Cell {
    fn of(self, paise: i64) -> Cells {
        let mut cells = Cells::ZERO;
        let minor = match self.minor {
            MinorName::Tx => Minor::Tax,
            MinorName::Intr => Minor::Interest,
            MinorName::Pen => Minor::Penalty,
            MinorName::Fee => Minor::Fee,
            MinorName::Oth => Minor::Other,
        };
        cells[minor][self.head.head()] = paise;
        cells
    }
}

impl HeadName {
    pub(crate) fn head(self) -> Head {
        match self {
            Self::Igst => Head::Igst,
            Self::Cgst => Head::Cgst,
            Self::Sgst => Head::Sgst,
            Self::Cess => Head::Cess,
        }
    }
}

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("an amount is above zero and below 10^13 rupees")]
    Amount,
    #[error("cash moves to another registration of the same PAN only")]
    OtherPan,
    #[error("another registration takes integrated or central tax only (section 49(10))")]
    OtherHead,
    #[error("cash moves to another registration only while no liability is unpaid (section 49(10))")]
    Unpaid,
    #[error(transparent)]
    Posting(#[from] PostingError),
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// PMT-09: cash from one cell to another, of the same registration or of another one of the same PAN (section 49(10),
/// Rule 87(13) and (14)).
pub(crate) fn transfer(
    tx: &Transaction<'_>,
    (giver, from): (&Gstin, Cell),
    (taker, to): (&Gstin, Cell),
    paise: i64,
    today: Date,
) -> Result<(), TransferError> {
    check(paise)?;
    if giver == taker {
        let posting = Posting::new(giver, today, "PMT09")
            .line(Account::Cash, from.of(-paise), "Amount transferred")
            .line(Account::Cash, to.of(paise), "Amount received");
        journal::post(tx, &posting)?;
        return Ok(());
    }
    if giver.as_str()[2..12] != taker.as_str()[2..12] {
        return Err(TransferError::OtherPan);
    }
    if !matches!(to.head, HeadName::Igst | HeadName::Cgst) {
        return Err(TransferError::OtherHead);
    }
    if !journal::balance(tx, giver, Account::Liability)?.is_zero() {
        return Err(TransferError::Unpaid);
    }
    let given =
        Posting::new(giver, today, "PMT09").line(Account::Cash, from.of(-paise), "Amount transferred");
    let taken = Posting::new(taker, today, "PMT09").line(Account::Cash, to.of(paise), "Amount received");
    journal::post(tx, &given.against_outside())?;
    journal::post(tx, &taken.against_outside())?;
    Ok(())
}

/// A refund claimed from the cash ledger (section 49(6)).
pub(crate) fn refund_cash(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    from: Cell,
    paise: i64,
    today: Date,
) -> Result<(), TransferError> {
    check(paise)?;
    let posting = Posting::new(gstin, today, "RFD01").line(Account::Cash, from.of(-paise), "Refund claimed");
    journal::post(tx, &posting.against_outside())?;
    Ok(())
}

/// A refund claimed from the credit ledger (section 54(3), Rule 89(3)).
pub(crate) fn refund_credit(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    head: HeadName,
    paise: i64,
    today: Date,
) -> Result<(), TransferError> {
    check(paise)?;
    let posting =
        Posting::new(gstin, today, "RFD01").line(Account::Credit, of_head(head, -paise), "Refund claimed");
    journal::post(tx, &posting.against_outside())?;
    Ok(())
}

/// Credit blocked by an officer, or unblocked where `paise` is below zero (Rule 86A). It stays in the ledger and
/// cannot be used.
pub(crate) fn block(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    head: HeadName,
    paise: i64,
    today: Date,
) -> Result<(), TransferError> {
    check(paise.saturating_abs())?;
    let posting =
        Posting::new(gstin, today, "RULE86A").line(Account::Blocked, of_head(head, paise), "Rule 86A");
    journal::post(tx, &posting.against_outside())?;
    Ok(())
}

fn of_head(head: HeadName, paise: i64) -> Cells {
    let mut heads = Heads::ZERO;
    heads[head.head()] = paise;
    Cells::of_tax(heads)
}

fn check(paise: i64) -> Result<(), TransferError> {
    if (1..1_000_000_000_000_000).contains(&paise) { Ok(()) } else { Err(TransferError::Amount) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rusqlite::Connection;

    use super::super::create_tables;
    use super::*;

    const TODAY: Date = date(2026, 1, 20);
    const IGST: Cell = Cell { head: HeadName::Igst, minor: MinorName::Tx };
    const CGST_FEE: Cell = Cell { head: HeadName::Cgst, minor: MinorName::Fee };

    fn with_cash(tx: &Transaction<'_>, gstin: &Gstin, paise: i64) {
        let posting = Posting::new(gstin, TODAY, "X").line(Account::Cash, IGST.of(paise), "in");
        journal::post(tx, &posting.against_outside()).unwrap();
    }

    #[test]
    fn cash_moves_between_cells_and_registrations_of_one_pan() {
        let mut connection = Connection::open_in_memory().unwrap();
        create_tables(&connection).unwrap();
        let tx = connection.transaction().unwrap();
        let one: Gstin = "27AAPFU0939F1ZV".parse().unwrap();
        let other = Gstin::with_check_digit("29AAPFU0939F1Z").unwrap();
        let stranger: Gstin = "33AANCS2882A1ZG".parse().unwrap();
        with_cash(&tx, &one, 500);
        let held = |gstin| journal::balance(&tx, gstin, Account::Cash).unwrap();
        transfer(&tx, (&one, IGST), (&one, CGST_FEE), 200, TODAY).unwrap();
        assert_eq!(held(&one), IGST.of(300) + CGST_FEE.of(200));
        transfer(&tx, (&one, CGST_FEE), (&other, IGST), 50, TODAY).unwrap();
        assert_eq!((held(&one), held(&other)), (IGST.of(300) + CGST_FEE.of(150), IGST.of(50)));
        let refused = transfer(&tx, (&one, IGST), (&stranger, IGST), 1, TODAY);
        assert!(matches!(refused, Err(TransferError::OtherPan)));
        let sgst = Cell { head: HeadName::Sgst, minor: MinorName::Tx };
        assert!(matches!(
            transfer(&tx, (&one, IGST), (&other, sgst), 1, TODAY),
            Err(TransferError::OtherHead)
        ));
        let too_much = transfer(&tx, (&one, IGST), (&one, CGST_FEE), 301, TODAY);
        assert!(matches!(too_much, Err(TransferError::Posting(PostingError::TooLittle { .. }))));
        assert!(matches!(
            transfer(&tx, (&one, IGST), (&one, CGST_FEE), 0, TODAY),
            Err(TransferError::Amount)
        ));
        let owed =
            Posting::new(&one, TODAY, "X").line(Account::Liability, IGST.of(-1), "owed").against_outside();
        journal::post(&tx, &owed).unwrap();
        assert!(matches!(transfer(&tx, (&one, IGST), (&other, IGST), 1, TODAY), Err(TransferError::Unpaid)));
    }

    #[test]
    fn refunds_leave_and_blocked_credit_stays() {
        let mut connection = Connection::open_in_memory().unwrap();
        create_tables(&connection).unwrap();
        let tx = connection.transaction().unwrap();
        let gstin: Gstin = "27AAPFU0939F1ZV".parse().unwrap();
        with_cash(&tx, &gstin, 500);
        refund_cash(&tx, &gstin, IGST, 200, TODAY).unwrap();
        let held = |account| journal::balance(&tx, &gstin, account).unwrap().total();
        assert_eq!(held(Account::Cash), 300);
        assert!(refund_credit(&tx, &gstin, HeadName::Cgst, 1, TODAY).is_err(), "there is no credit");
        block(&tx, &gstin, HeadName::Cgst, 70, TODAY).unwrap();
        block(&tx, &gstin, HeadName::Cgst, -30, TODAY).unwrap();
        assert_eq!((held(Account::Blocked), held(Account::Credit)), (40, 0));
        assert!(block(&tx, &gstin, HeadName::Cgst, -41, TODAY).is_err(), "no more than is blocked");
    }
}
