//! Apache Parquet, for whoever loads the ledger into DuckDB, Spark or pandas: each column with its real type.
//!
//! A file is written in groups of rows, so that memory stays flat however long it becomes. The pages are not compressed: what
//! repeats in a ledger is repeated by number (dictionaries), and identifiers do not shrink.

use std::io::{self, Write};
use std::iter;
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::columns::{Cell, Column, Kind, Row};

/// Rows kept in memory before they are written: about ten megabytes of entries.
const GROUP: usize = 8_192;

/// A Parquet file being written.
pub(super) struct ParquetWriter<R: Row, W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Values>,
    rows: usize,
    of: PhantomData<R>,
}

/// What a column holds in the group that is being gathered: whether each row has a value, and the values there are.
struct Values {
    there: Vec<i16>,
    values: Typed,
}

enum Typed {
    /// All texts in one piece of memory, and where each ends.
    Text(Vec<u8>, Vec<usize>),
    Number(Vec<i64>),
    Flag(Vec<bool>),
}

impl<R: Row, W: Write + Send> ParquetWriter<R, W> {
    /// Begins a file.
    pub(super) fn new(out: W) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_created_by(concat!("suvidha ", env!("CARGO_PKG_VERSION")).to_owned());
        let schema = schema::<R>().map_err(told)?;
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties.build())).map_err(told)?;
        let columns = R::COLUMNS.iter().map(|column| Values::new(column.kind)).collect();
        Ok(Self { file, columns, rows: 0, of: PhantomData })
    }

    /// Adds a row.
    pub(super) fn row(&mut self, row: &R) -> io::Result<()> {
        for (column, values) in R::COLUMNS.iter().zip(&mut self.columns) {
            values.push((column.cell)(row));
        }
        self.rows += 1;
        if self.rows == GROUP { self.write_group().map_err(told) } else { Ok(()) }
    }

    /// Ends the file; without its footer it could not be read.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.rows > 0 {
            self.write_group().map_err(told)?;
        }
        self.file.into_inner().map_err(told)
    }

    fn write_group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for (column, values) in R::COLUMNS.iter().zip(&mut self.columns) {
            if let Some(mut writer) = group.next_column()? {
                values.write(column, &mut writer)?;
                writer.close()?;
            }
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Values {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Text => Typed::Text(Vec::new(), Vec::new()),
            Kind::Number | Kind::Time => Typed::Number(Vec::new()),
            Kind::Flag => Typed::Flag(Vec::new()),
        };
        Self { there: Vec::new(), values }
    }

    /// A value of another kind than its column's would be a fault of the list of columns, which a test holds; it counts as none.
    fn push(&mut self, cell: Cell<'_>) {
        let there = match (&mut self.values, cell) {
            (Typed::Text(bytes, ends), Cell::Text(text)) => {
                bytes.extend_from_slice(text.as_bytes());
                ends.push(bytes.len());
                true
            }
            (Typed::Number(numbers), Cell::Number(number)) => {
                numbers.push(number);
                true
            }
            (Typed::Number(numbers), Cell::Time(at)) => {
                numbers.push(at.as_microsecond());
                true
            }
            (Typed::Flag(flags), Cell::Flag(flag)) => {
                flags.push(flag);
                true
            }
            _ => false,
        };
        self.there.push(there.into());
    }

    fn write<R>(&mut self, column: &Column<R>, writer: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let there = mem::take(&mut self.there);
        let there = (!column.always).then_some(there.as_slice());
        match &mut self.values {
            Typed::Text(bytes, ends) => {
                let bytes = ByteArray::from(mem::take(bytes));
                let begins = iter::once(0).chain(ends.iter().copied());
                let texts: Vec<_> =
                    begins.zip(&*ends).map(|(begin, end)| bytes.slice(begin, end - begin)).collect();
                ends.clear();
                writer.typed::<ByteArrayType>().write_batch(&texts, there, None)?
            }
            Typed::Number(numbers) => {
                writer.typed::<Int64Type>().write_batch(&mem::take(numbers), there, None)?
            }
            Typed::Flag(flags) => writer.typed::<BoolType>().write_batch(&mem::take(flags), there, None)?,
        };
        Ok(())
    }
}

fn schema<R: Row>() -> Result<TypePtr> {
    let field = |column: &Column<R>| {
        let (physical, logical) = match column.kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Number => (Physical::INT64, None),
            Kind::Flag => (Physical::BOOLEAN, None),
            Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        };
        let repetition = if column.always { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition)
            .build()?;
        Ok(Arc::new(field))
    };
    let fields = R::COLUMNS.iter().map(field).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Type::group_type_builder("ledger").with_fields(fields).build()?))
}

/// A full disk stays a full disk.
fn told(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
