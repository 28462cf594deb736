"""Tables of scores as databases publish them: CSV, text, Excel and MATLAB files."""

from __future__ import annotations

import csv
import pathlib
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import h5py
import numpy as np
import scipy.io

from reiqa_tf.data.databases.catalog import DatabaseError
from reiqa_tf.typing import PathLike

_Values = TypeVar("_Values", np.ndarray, list[str])


def read_table(
    path: PathLike, columns: Sequence[str], sheet: str | None = None
) -> dict[str, list[Any]]:
    """Reads columns of a CSV or Excel file.

    The header is the first row that holds all the columns, so that titles above it do no harm.
    Columns are found whatever their capitals; rows that are empty in the first column are skipped.

    Args:
        path: path of the file, `.csv` or `.xlsx`.
        columns: names of the columns that must be there.
        sheet: name of the sheet of an Excel file; None takes the first.

    Returns:
        dictionary from the name of each column in the file, in small letters, to the list of its
        cells: texts in a CSV file, anything in an Excel file.

    Raises:
        DatabaseError: if the file cannot be read or a column is missing.
    """
    path = pathlib.Path(path)
    rows = _excel_rows(path, sheet) if path.suffix.lower() == ".xlsx" else _csv_rows(path)
    wanted = [column.lower() for column in columns]
    headers = [[str(cell).strip().lower() for cell in row] for row in rows]
    first = next((i for i, header in enumerate(headers) if set(wanted) <= set(header)), None)
    if first is None:
        found = ", ".join(str(cell) for cell in rows[0] if cell is not None) if rows else "nothing"
        raise DatabaseError(
            f"{path}: expected the columns {', '.join(columns)}. The first line has: {found}"
        )
    header = headers[first]
    key = header.index(wanted[0])
    body = [row for row in rows[first + 1 :] if len(row) > key and row[key] not in (None, "")]
    return {
        name: [row[index] if index < len(row) else None for row in body]
        for index, name in enumerate(header)
        if name not in ("", "none")
    }


def read_lines(path: PathLike, separator: str | None = None) -> list[list[str]]:
    """Reads a text file of two or more words a line.

    Args:
        path: path of the file.
        separator: between the words; None is any white space.

    Returns:
        list of lists of words; empty lines are skipped.

    Raises:
        DatabaseError: if the file cannot be read, or a line has a single word.
    """
    path = pathlib.Path(path)
    lines = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        words = [word.strip() for word in line.split(separator)]
        if len(words) > 1:
            lines.append(words)
        elif words and words[0]:
            raise DatabaseError(f"{path}, line {number}: expected two words. Received: {line!r}")
    return lines


def read_matlab_numbers(path: PathLike, name: str) -> np.ndarray:
    """Reads a variable of a MATLAB file of any version that holds numbers, as one row.

    Args:
        path: path of the `.mat` file; version 7.3 is HDF5 and read as such.
        name: name of the variable.

    Returns:
        float64 array.

    Raises:
        DatabaseError: if the file cannot be read, or holds no such variable of numbers.
    """
    return _with_variable(path, name, lambda values: np.asarray(values, np.float64))


def read_matlab_texts(path: PathLike, name: str) -> list[str]:
    """Reads a variable of a MATLAB file of any version that is a cell array of texts.

    Args:
        path: as in `read_matlab_numbers`.
        name: name of the variable.

    Returns:
        list of texts.

    Raises:
        DatabaseError: if the file cannot be read, or holds no such variable.
    """
    return _with_variable(
        path, name, lambda values: [str(np.asarray(value).item()) for value in values]
    )


def _with_variable(
    path: PathLike, name: str, convert: Callable[[np.ndarray | list[str]], _Values]
) -> _Values:
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return convert(_from_hdf5(file, file[name]))
        return convert(scipy.io.loadmat(path, variable_names=[name])[name].ravel())
    except KeyError:
        raise DatabaseError(f"{path}: holds no variable {name!r}.") from None
    except (OSError, ValueError, NotImplementedError, TypeError) as error:
        raise DatabaseError(f"{path}: not a MATLAB file that can be read ({error}).") from None


def numbers(cells: Sequence[Any], path: PathLike, column: str) -> np.ndarray:
    """Turns the cells of a column into numbers.

    Args:
        cells: list of texts or numbers.
        path: of the file, for the message.
        column: name of the column, for the message.

    Returns:
        float64 array.

    Raises:
        DatabaseError: if a cell is no finite number.
    """
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            values[row] = float(cell)
        except (TypeError, ValueError):
            values[row] = np.nan
        if not np.isfinite(values[row]):
            raise DatabaseError(
                f"{path}, row {row + 1}: expected a number as {column}. Received: {cell!r}"
            )
    return values


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return path.read_text(encoding="latin-1")  # MATLAB's default on the machines of the time
    except OSError as error:
        raise DatabaseError(f"{path}: cannot be read ({error.strerror}).") from None


def _csv_rows(path: pathlib.Path) -> list[list[Any]]:
    lines = _text(path).splitlines()
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    return list(csv.reader(lines, delimiter=delimiter))


def _excel_rows(path: pathlib.Path, sheet: str | None) -> list[list[Any]]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DatabaseError(f"{path}: not an Excel file that can be read ({error}).") from None
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise DatabaseError(
                f"{path}: expected a sheet {sheet!r}. It has: {', '.join(book.sheetnames)}"
            )
        chosen = book[sheet] if sheet else book[book.sheetnames[0]]
        return [list(row) for row in chosen.iter_rows(values_only=True)]
    finally:
        book.close()


def _from_hdf5(file: h5py.File, dataset: h5py.Dataset) -> np.ndarray | list[str]:
    """A cell array is a dataset of references, and each text a dataset of code units."""
    if dataset.dtype == h5py.ref_dtype:
        return ["".join(map(chr, file[cell][()].ravel())) for cell in dataset[()].ravel()]
    return dataset[()].ravel()
