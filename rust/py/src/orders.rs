//! Plain orders: decided on stock that is laid out, and made the rows of a ledger with its hashes, many in one call.

use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use allocator_core::chain;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};
use pyo3::{IntoPyObjectExt, intern};

use crate::errors::{guard_attached, input};
use crate::prepared::{LineSpec, PreparedStock};

/// Of a stock row: whether its goods stay in their account when they are promised.
const STAYS: u8 = 1;
/// Whether it is a unit with a serial.
const UNIT: u8 = 2;

/// Stock that is laid out, and what each of its rows is.
#[pyclass(frozen, module = "allocator._core")]
pub struct Shelf {
    stock: Py<PreparedStock>,
    ids: Vec<i64>,
    account_bits: u32,
    kinds: Vec<u8>,
}

#[pymethods]
impl Shelf {
    /// By row its id, which is the number of its goods and, in the lowest bits, of its account; and what it is.
    #[new]
    fn new(
        py: Python<'_>,
        stock: Py<PreparedStock>,
        ids: Vec<i64>,
        account_bits: u32,
        kinds: Vec<u8>,
    ) -> PyResult<Self> {
        if kinds.len() != ids.len() || !(1..64).contains(&account_bits) {
            return Err(input(py, "internal", "each row has an id and a kind", ""));
        }
        Ok(Self {
            stock,
            ids,
            account_bits,
            kinds,
        })
    }
}

/// Tenant, last transaction and its hash, last allocation, time of the last transaction, first end of any hold.
type Head = (i64, i64, Vec<u8>, i64, i64, Option<i64>);

/// The heading of its transaction, its lines, when its promises end, and what else was said of each line.
type Order<'py> = (
    Bound<'py, PyTuple>,
    Vec<Bound<'py, PyDict>>,
    Option<i64>,
    Vec<Bound<'py, PyString>>,
);

/// What a line of some SKU asks of which stock: the shelf, the SKU's number, the line but for its quantity, and the
/// rows of the SKU of which some lie there.
type Offer<'py> = (Bound<'py, Shelf>, i64, LineSpec, Bound<'py, PyAny>);

/// Answers, and the rows of transactions, entries, lines and allocations.
type Made<'py> = (
    Vec<Bound<'py, PyDict>>,
    Vec<Bound<'py, PyTuple>>,
    Vec<Bound<'py, PyTuple>>,
    Vec<Bound<'py, PyTuple>>,
    Vec<Bound<'py, PyTuple>>,
);

/// Goods, account, units promised, and the last transaction that promised any.
type Promised = (i64, i64, i64, i64);

/// Decides orders in their sequence and makes their rows, up to the first that takes more than this.
///
/// `offers` has what a line of nothing but an SKU and a quantity asks for, by SKU; `find` says it of any line, and fills
/// `offers`. `rows` are the rows of each SKU as they are now: an offer of others is none. `lines` are those known already.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub fn record_orders<'py>(
    py: Python<'py>,
    head: Head,
    orders: Vec<Order<'py>>,
    offers: Bound<'py, PyDict>,
    find: Bound<'py, PyAny>,
    rows: Bound<'py, PyDict>,
    lines: Bound<'py, PyDict>,
) -> PyResult<(Made<'py>, Vec<Promised>, Head)> {
    guard_attached(py, || {
        let desk = Desk {
            offers,
            find,
            rows,
            lines,
        };
        let (tenant, seq, hash, allocation_last, recorded_at, hold_ends_first) = head;
        let mut recorder = Recorder {
            py,
            tenant,
            seq,
            hash,
            allocation_last,
            recorded_at,
            hold_ends_first,
            seen: HashSet::new(),
            promised: Vec::new(),
            place_of: HashMap::new(),
            made: Made::default(),
        };
        for (heading, lines, hold_until, details) in orders {
            let moment = recorder.recorded_at.max(now());
            if recorder.hold_ends_first.is_some_and(|ends| ends <= moment) {
                break; // Holds that are over are taken back first.
            }
            let Some(served) = desk.serve(&lines, &details, &recorder.seen)? else {
                break;
            };
            recorder.recorded_at = moment;
            recorder.record(&heading, hold_until, served)?;
        }
        let head = (
            tenant,
            recorder.seq,
            recorder.hash,
            recorder.allocation_last,
            recorder.recorded_at,
            recorder.hold_ends_first,
        );
        Ok((recorder.made, recorder.promised, head))
    })
}

/// The digest of a transaction, over the rows of its tables as texts.
#[pyfunction]
pub fn chain_digest(py: Python<'_>, tables: Vec<Vec<PyBackedStr>>) -> PyResult<Bound<'_, PyBytes>> {
    guard_attached(py, || {
        let tables: Vec<&[PyBackedStr]> = tables.iter().map(Vec::as_slice).collect();
        Ok(PyBytes::new(py, &chain::digest(&tables)))
    })
}

/// The hash of a transaction, by the hash before it, its heading as text and its digest.
#[pyfunction]
pub fn chain_linked<'py>(
    py: Python<'py>,
    before: &[u8],
    heading: &str,
    digest: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    guard_attached(py, || Ok(PyBytes::new(py, &chain::linked(before, heading, digest))))
}

/// Microseconds since 1970.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_micros() as i64)
}

/// Where orders are decided.
struct Desk<'py> {
    offers: Bound<'py, PyDict>,
    find: Bound<'py, PyAny>,
    rows: Bound<'py, PyDict>,
    lines: Bound<'py, PyDict>,
}

/// A line that is served in full.
struct Served<'py> {
    line_id: Bound<'py, PyString>,
    order_id: Bound<'py, PyString>,
    sku_id: i64,
    qty: i64,
    details: Bound<'py, PyString>,
    shelf: Bound<'py, Shelf>,
    takes: Vec<(u32, i64)>,
}

impl<'py> Desk<'py> {
    /// What the lines of an order get, if that is all that they want, of goods that stay where they are.
    fn serve(
        &self,
        lines: &[Bound<'py, PyDict>],
        details: &[Bound<'py, PyString>],
        seen: &HashSet<String>,
    ) -> PyResult<Option<Vec<Served<'py>>>> {
        let mut served: Vec<Served> = Vec::with_capacity(lines.len());
        for (line, details) in lines.iter().zip(details) {
            match self.serve_line(line, details, seen)? {
                // What one line takes is still there for the next.
                Some(each) if served.iter().all(|other| other.sku_id != each.sku_id) => served.push(each),
                _ => return Ok(None),
            }
        }
        Ok(Some(served))
    }

    fn serve_line(
        &self,
        line: &Bound<'py, PyDict>,
        details: &Bound<'py, PyString>,
        seen: &HashSet<String>,
    ) -> PyResult<Option<Served<'py>>> {
        let py = line.py();
        let (Some(line_id), Some(sku), Some(qty)) = (
            text(line, intern!(py, "line_id"))?,
            text(line, intern!(py, "sku"))?,
            line.get_item(intern!(py, "qty"))?,
        ) else {
            return Ok(None);
        };
        let known =
            seen.contains(line_id.to_str()?) || self.lines.get_item(&line_id)?.is_some_and(|line| !line.is_none());
        let Some(qty) = qty.cast_exact::<PyInt>().ok().and_then(|qty| qty.extract::<i64>().ok()) else {
            return Ok(None);
        };
        if known || qty <= 0 {
            return Ok(None);
        }
        let given = text(line, intern!(py, "order_id"))?;
        let plain = line.len() == 3 + usize::from(given.is_some());
        let order_id = given
            .filter(|id| id.is_truthy().unwrap_or(false))
            .unwrap_or_else(|| line_id.clone());
        let Some((shelf, sku_id, spec)) = self.offer(line, &sku, plain)? else {
            return Ok(None);
        };
        let stands = shelf.get();
        let Some(takes) = stands.stock.get().serve_in_full(spec.of(qty)) else {
            return Ok(None);
        };
        let stays = |&(row, _): &(u32, i64)| stands.kinds.get(row as usize).is_some_and(|kind| kind & STAYS != 0);
        if !takes.iter().all(stays) {
            return Ok(None);
        }
        let details = details.clone();
        Ok(Some(Served {
            line_id,
            order_id,
            sku_id,
            qty,
            details,
            shelf,
            takes,
        }))
    }

    /// What a line asks of which stock, if that lies somewhere.
    fn offer(
        &self,
        line: &Bound<'py, PyDict>,
        sku: &Bound<'py, PyString>,
        plain: bool,
    ) -> PyResult<Option<(Bound<'py, Shelf>, i64, LineSpec)>> {
        if plain && let Some(offer) = self.offers.get_item(sku)? {
            let (shelf, sku_id, spec, rows): Offer = offer.extract()?;
            if self.rows.get_item(sku_id)?.is_some_and(|now| now.is(&rows)) {
                return Ok(Some((shelf, sku_id, spec)));
            }
        }
        let found: Option<Offer> = self.find.call1((line,))?.extract()?;
        Ok(found.map(|(shelf, sku_id, spec, _)| (shelf, sku_id, spec)))
    }
}

/// A text of a line that is one in UTF-8; `None` for anything else.
fn text<'py>(line: &Bound<'py, PyDict>, name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyString>>> {
    let given = line.get_item(name)?;
    let text = given.and_then(|given| given.cast_into_exact::<PyString>().ok());
    Ok(text.filter(|text| text.to_str().is_ok()))
}

/// The end of the chain, and the rows that were added to it.
struct Recorder<'py> {
    py: Python<'py>,
    tenant: i64,
    seq: i64,
    hash: Vec<u8>,
    allocation_last: i64,
    recorded_at: i64,
    hold_ends_first: Option<i64>,
    seen: HashSet<String>,
    promised: Vec<Promised>,
    place_of: HashMap<(i64, i64), usize>,
    made: Made<'py>,
}

impl<'py> Recorder<'py> {
    fn record(&mut self, heading: &Bound<'py, PyTuple>, ends: Option<i64>, served: Vec<Served<'py>>) -> PyResult<()> {
        let py = self.py;
        self.seq += 1;
        let (tenant, seq) = (self.tenant.into_bound_py_any(py)?, self.seq.into_bound_py_any(py)?);
        let stage = if ends.is_none() {
            intern!(py, "reserved")
        } else {
            intern!(py, "held")
        };
        let told = PyString::new(py, &ends.map_or_else(String::new, |ends| ends.to_string()));
        let (mut lines, mut entries) = (Vec::with_capacity(served.len()), Vec::with_capacity(served.len()));
        let answers = PyList::empty(py);
        for each in served {
            let shelf = each.shelf.get();
            if !shelf.stock.get().take(&each.takes) {
                return Err(input(py, "internal", "stock that was served is not there", ""));
            }
            let allocations = PyList::empty(py);
            for &(row, qty) in &each.takes {
                let (id, unit) = (shelf.ids[row as usize], shelf.kinds[row as usize] & UNIT != 0);
                let goods = id >> shelf.account_bits;
                let account = id & ((1 << shelf.account_bits) - 1);
                self.allocation_last += 1;
                self.promise(goods, account, qty);
                let number = self.allocation_last.into_bound_py_any(py)?;
                let (goods_id, account_id) = (goods.into_bound_py_any(py)?, account.into_bound_py_any(py)?);
                let units = qty.into_bound_py_any(py)?;
                self.made.2.push(
                    (
                        &tenant,
                        &seq,
                        entries.len(),
                        &goods_id,
                        &account_id,
                        &account_id,
                        0,
                        0,
                        &units,
                        &number,
                        &each.line_id,
                        &told,
                    )
                        .into_pyobject(py)?,
                );
                self.made.4.push(
                    (
                        &tenant,
                        &number,
                        &each.line_id,
                        &goods_id,
                        &account_id,
                        i64::from(unit),
                        &units,
                        stage,
                        ends,
                        &seq,
                    )
                        .into_pyobject(py)?,
                );
                let mut entry = chain::row(goods);
                for number in [account, account, 0, 0, qty, self.allocation_last] {
                    chain::push(&mut entry, number);
                }
                chain::push(&mut entry, each.line_id.to_str()?);
                chain::push(&mut entry, told.to_str()?);
                entries.push(entry);
                let allocation = PyDict::new(py);
                allocation.set_item(intern!(py, "allocation_id"), number)?;
                allocation.set_item(intern!(py, "stock_id"), id)?;
                allocation.set_item(intern!(py, "qty"), units)?;
                allocations.append(allocation)?;
            }
            let (line_id, order_id) = (each.line_id.to_str()?, each.order_id.to_str()?);
            let mut line = chain::row(line_id);
            chain::push(&mut line, order_id);
            chain::push(&mut line, each.sku_id);
            chain::push(&mut line, each.qty);
            chain::push(&mut line, each.details.to_str()?);
            lines.push(line);
            self.seen.insert(line_id.to_owned());
            let qty = each.qty.into_bound_py_any(py)?;
            self.made.3.push(
                (
                    &tenant,
                    &each.line_id,
                    &each.order_id,
                    each.sku_id,
                    &qty,
                    &qty,
                    0,
                    0,
                    &each.details,
                    &seq,
                    &seq,
                )
                    .into_pyobject(py)?,
            );
            let answer = PyDict::new(py);
            answer.set_item(intern!(py, "line_id"), &each.line_id)?;
            answer.set_item(intern!(py, "requested"), &qty)?;
            answer.set_item(intern!(py, "allocated"), &qty)?;
            answer.set_item(intern!(py, "short"), 0)?;
            answer.set_item(intern!(py, "reason"), py.None())?;
            answer.set_item(intern!(py, "allocations"), allocations)?;
            answers.append(answer)?;
        }
        if let Some(ends) = ends {
            self.hold_ends_first = Some(self.hold_ends_first.map_or(ends, |first| first.min(ends)));
        }
        self.link(heading, &tenant, &lines, &entries)?;
        let answer = PyDict::new(py);
        answer.set_item(intern!(py, "seq"), seq)?;
        answer.set_item(intern!(py, "lines"), answers)?;
        self.made.0.push(answer);
        Ok(())
    }

    fn promise(&mut self, goods: i64, account: i64, qty: i64) {
        let next = self.promised.len();
        let at = *self.place_of.entry((goods, account)).or_insert(next);
        if at == next {
            self.promised.push((goods, account, 0, 0));
        }
        let each = &mut self.promised[at];
        each.2 += qty;
        each.3 = self.seq;
    }

    /// Adds the transaction to the chain: what is said of it, and the digest of its rows.
    fn link(
        &mut self,
        heading: &Bound<'py, PyTuple>,
        tenant: &Bound<'py, PyAny>,
        lines: &[String],
        entries: &[String],
    ) -> PyResult<()> {
        let py = self.py;
        // What comes before and after the moment of recording.
        let (first, rest) = (heading.get_slice(0, 8), heading.get_slice(8, heading.len()));
        let mut said = vec![self.seq.into_bound_py_any(py)?];
        said.extend(first.iter());
        said.push(self.recorded_at.into_bound_py_any(py)?);
        said.extend(rest.iter());
        said.push(entries.len().into_bound_py_any(py)?);
        let mut text = chain::row(self.seq);
        for field in &said[1..] {
            if let Ok(field) = field.cast::<PyString>() {
                chain::push(&mut text, field.to_str()?);
            } else if field.is_none() {
                chain::push(&mut text, chain::NULL);
            } else {
                chain::push(&mut text, field.extract::<i64>()?);
            }
        }
        let digest = chain::digest(&[&[], &[], lines, entries]);
        let hash = chain::linked(&self.hash, &text, &digest);
        self.hash = hash.to_vec();
        let mut row = vec![tenant.clone()];
        row.append(&mut said);
        row.push(PyBytes::new(py, &digest).into_any());
        row.push(PyBytes::new(py, &hash).into_any());
        self.made.1.push(PyTuple::new(py, row)?);
        Ok(())
    }
}
