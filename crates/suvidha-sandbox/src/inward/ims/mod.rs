//! The invoice management system: a recipient accepts, rejects or keeps pending what its suppliers report, and from
//! that follows its statement of credit (advisory of September 2024, FAQs of 23.09.24, 17.10.24, 19.06.25, 17.10.25).
//!
//! A document stands in IMS from the supplier's first save until the recipient files the GSTR-3B whose statement it
//! belongs to; one that is pending then goes to the next. Nothing is stored but the actions: what stands in IMS is
//! derived from the suppliers' rows, the actions ([`actions`]) and the recipient's filings.

pub(crate) mod actions;
pub(super) mod imports;
pub(super) mod record;
mod save;
mod show;
mod suppliers;

pub(crate) use save::act;
pub(crate) use show::{counts, invoices};
pub(crate) use suppliers::{rejected_view, supplier_view};
