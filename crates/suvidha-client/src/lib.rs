//! The ASP's side of GST: log a taxpayer in and call GSTN through a GSP.
