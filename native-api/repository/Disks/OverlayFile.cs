// What clients have written over a point: a sparse file with the bytes where they lie on the disk, and a bit for each
// granule that it has. A granule that is written in part is completed from the point first.
//
//   0       header: magic, size of the disk, granule, point, name of the disk
//   4 KiB   bits, from the lowest of each byte
//   ...     the disk, from the next MiB on
//
// Bits are written by Flush only, after the bytes they stand for are durable, and never taken back: so after a kill or
// a power cut a granule is as it was flushed, or as the point has it. One that is thrown away has no name and writes no
// bits.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using FastBackup.Base;
using FastBackup.Ports.Linux;

namespace FastBackup.Repositories;

/// <summary>Fills bytes as the point has them.</summary>
delegate void ReadBelow(ulong offsetBytes, Span<byte> bytes);

/// <summary>Threads: any; everything waits for the file.</summary>
sealed class OverlayFile : IDisposable
{
    const ulong GranuleBytesMin = 4 * Units.KiB;
    const ulong GranulesMax = 1ul << 28; // 32 MiB of bits
    const int HeaderBytes = 4096;
    const int PageBytes = 4096;
    const int ZeroBytes = 1 << 20;
    const int NameBytesMax = 1024;
    const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    readonly FileStream _file;
    readonly bool _isKept;
    readonly ulong _sizeBytes;
    readonly ulong _granuleBytes;
    readonly ulong _startBytes;
    readonly byte[] _bits;
    readonly HashSet<int> _dirtyPages = []; // of bits, since the last flush
    readonly List<(ulong First, ulong End)> _underWay = []; // granules that somebody writes for the first time
    readonly Lock _flushing = new();
    readonly object _one = new();

    OverlayFile(FileStream file, bool isKept, ulong sizeBytes)
    {
        (_file, _isKept, _sizeBytes, _granuleBytes) = (file, isKept, sizeBytes, GranuleOf(sizeBytes));
        int pages = (int)Units.DivCeil(Units.DivCeil(sizeBytes, _granuleBytes), PageBytes * 8);
        _bits = new byte[pages * PageBytes];
        _startBytes = Units.DivCeil(HeaderBytes + (ulong)_bits.Length, Units.MiB) * Units.MiB;
    }

    /// <summary>The file was not there before.</summary>
    public bool IsNew { get; private init; }

    /// <summary>Opens a file that is kept, or makes it.</summary>
    /// <param name="path">New, or an overlay of this very point and disk.</param>
    /// <param name="sizeBytes">Of the disk, 1 at least.</param>
    /// <param name="point">Of which it is.</param>
    /// <param name="disk">Its name there.</param>
    /// <exception cref="RepositoryException">Refused, Disk, Damaged, NoSpace: nothing was changed.</exception>
    public static OverlayFile Open(string path, ulong sizeBytes, BlobId point, string disk)
    {
        bool isNew = !Path.Exists(path);
        FileStream? file = null;
        OverlayFile? made = null;
        try
        {
            file = OpenStream(path, isNew ? FileMode.CreateNew : FileMode.Open);
            made = new OverlayFile(file, isKept: true, sizeBytes) { IsNew = isNew };
            if (isNew)
                made.Begin(path, made.Header(point, disk));
            else
                made.Load(path, made.Header(point, disk));
            return made;
        }
        catch (Exception exception)
        {
            if (isNew && file != null)
                File.Delete(path);
            file?.Dispose();
            if (exception is IOException or UnauthorizedAccessException)
                throw Explain($"cannot open overlay '{path}'", exception);
            throw;
        }
    }

    /// <summary>One that is gone when it is closed, whatever ends this process.</summary>
    /// <param name="folder">In which it takes space without a name.</param>
    /// <param name="sizeBytes">Of the disk, 1 at least.</param>
    /// <exception cref="RepositoryException">Disk, NoSpace.</exception>
    public static OverlayFile OpenNameless(string folder, ulong sizeBytes)
    {
        string path = Path.Combine(folder, ".fastbackup-overlay-" + RandomNumberGenerator.GetHexString(16, true));
        try
        {
            FileStream file = OpenStream(path, FileMode.CreateNew);
            File.Delete(path);
            return new OverlayFile(file, isKept: false, sizeBytes) { IsNew = true };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Explain($"cannot make an overlay in folder '{folder}'", exception);
        }
    }

    /// <summary>As far as it holds everything, or nothing, from a place on.</summary>
    /// <param name="offset">On the disk.</param>
    /// <param name="end">Where the question ends.</param>
    /// <param name="isWritten">It holds this run.</param>
    /// <returns>Where the run ends.</returns>
    public ulong RunFrom(ulong offset, ulong end, out bool isWritten)
    {
        ulong granule = offset / _granuleBytes;
        ulong last = (end - 1) / _granuleBytes;
        lock (_one)
        {
            isWritten = Has(granule);
            while (granule <= last && Has(granule) == isWritten)
                granule += !isWritten && granule % 8 == 0 && _bits[granule / 8] == 0 ? 8u : 1;
        }
        return Math.Min(end, granule * _granuleBytes);
    }

    /// <summary>Bytes that it holds.</summary>
    public void Read(ulong offset, Span<byte> bytes)
    {
        try
        {
            if (!TryReadAll(_file, _startBytes + offset, bytes))
                throw new IOException("it was cut short meanwhile");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Explain("cannot read the overlay", exception);
        }
    }

    /// <param name="offset">On the disk, in its bounds.</param>
    /// <param name="bytes">To hold from now on.</param>
    /// <param name="below">The point.</param>
    public void Write(ulong offset, ReadOnlySpan<byte> bytes, ReadBelow below)
    {
        ulong end = offset + (ulong)bytes.Length;
        if (bytes.Length == 0)
            return;
        (ulong First, ulong End) range = (offset / _granuleBytes, Units.DivCeil(end, _granuleBytes));
        bool isFirst = Begin(range);
        try
        {
            if (isFirst)
                Complete(range, offset, end, below);
            WriteAt(_startBytes + offset, bytes);
            if (isFirst)
                Mark(range);
        }
        finally
        {
            if (isFirst)
                End(range);
        }
    }

    public void WriteZeroes(ulong offset, ulong lengthBytes, ReadBelow below)
    {
        byte[] zeroes = new byte[(int)Math.Min(lengthBytes, ZeroBytes)];
        for (ulong done = 0; done < lengthBytes; done += (ulong)zeroes.Length)
            Write(offset + done, zeroes.AsSpan(0, (int)Math.Min(lengthBytes - done, (ulong)zeroes.Length)), below);
    }

    /// <summary>What was written before is durable after it.</summary>
    public void Flush()
    {
        if (!_isKept)
            return;
        lock (_flushing)
        {
            List<(int Page, byte[] Bits)> pages = [];
            lock (_one)
            {
                // As they are now: what comes meanwhile may not be durable when these are.
                foreach (int page in _dirtyPages)
                    pages.Add((page, _bits.AsSpan(page * PageBytes, PageBytes).ToArray()));
                _dirtyPages.Clear();
            }
            try
            {
                RandomAccess.FlushToDisk(_file.SafeFileHandle);
                foreach ((int page, byte[] bits) in pages)
                    RandomAccess.Write(_file.SafeFileHandle, bits, HeaderBytes + (long)page * PageBytes);
                if (pages.Count > 0)
                    RandomAccess.FlushToDisk(_file.SafeFileHandle);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                lock (_one)
                    foreach ((int page, _) in pages)
                        _ = _dirtyPages.Add(page);
                throw Explain("cannot flush the overlay", exception);
            }
        }
    }

    public void Dispose() => _file.Dispose();

    static ulong GranuleOf(ulong sizeBytes) =>
        Math.Max(GranuleBytesMin, BitOperations.RoundUpToPowerOf2(Units.DivCeil(sizeBytes, GranulesMax)));

    static FileStream OpenStream(string path, FileMode mode)
    {
        FileStreamOptions options = new()
        {
            Mode = mode,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None, // holds a lock: two that write would destroy it
            BufferSize = 0,
        };
        if (mode == FileMode.CreateNew && !OperatingSystem.IsWindows())
            options.UnixCreateMode = Owner;
        return new FileStream(path, options);
    }

    byte[] Header(BlobId point, string disk)
    {
        byte[] header = new byte[HeaderBytes];
        "FBOVRLY1"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), _sizeBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(16), _granuleBytes);
        point.Write(header.AsSpan(32));
        byte[] name = Encoding.UTF8.GetBytes(disk);
        name.AsSpan(0, Math.Min(name.Length, NameBytesMax)).CopyTo(header.AsSpan(64));
        return header;
    }

    void Begin(string path, byte[] header)
    {
        RandomAccess.SetLength(_file.SafeFileHandle, (long)(_startBytes + _sizeBytes));
        RandomAccess.Write(_file.SafeFileHandle, header, 0);
        RandomAccess.FlushToDisk(_file.SafeFileHandle);
        if (!OperatingSystem.IsWindows())
            LocalStore.FlushFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    void Load(string path, byte[] expected)
    {
        bool isFile =
            OperatingSystem.IsWindows()
            || (
                NameCalls.Kernel.Look((int)_file.SafeFileHandle.DangerousGetHandle(), out NameLook look) >= 0
                && look.IsFile
            );
        byte[] header = new byte[HeaderBytes];
        if (!isFile || !TryReadAll(_file, 0, header) || !header.AsSpan().StartsWith("FBOVRLY1"u8))
            throw new RepositoryException(
                RepositoryError.Refused,
                $"'{path}' exists and is no overlay; give the name of a new file, or an overlay of this point"
            );
        if (!header.AsSpan().SequenceEqual(expected))
            throw new RepositoryException(
                RepositoryError.Refused,
                $"overlay '{path}' lies over '{NameIn(header)}' of point {BlobId.Read(header.AsSpan(32)).Short}, not "
                    + $"over '{NameIn(expected)}' of {BlobId.Read(expected.AsSpan(32)).Short}; mount that point with "
                    + "--at, or give another file"
            );
        if (!TryReadAll(_file, HeaderBytes, _bits) || (ulong)_file.Length < _startBytes + _sizeBytes)
            throw new RepositoryException(
                RepositoryError.Damaged,
                $"overlay '{path}' is cut short; what was written to it is not all there: give another file"
            );
    }

    static string NameIn(byte[] header)
    {
        ReadOnlySpan<byte> name = header.AsSpan(64, NameBytesMax);
        return Encoding.UTF8.GetString(name[..(name.IndexOf((byte)0) is >= 0 and var end ? end : name.Length)]);
    }

    bool Has(ulong granule) => (_bits[granule / 8] & (1 << (int)(granule % 8))) != 0;

    /// <returns>True: nobody else writes these granules until End; some of them are not held yet.</returns>
    bool Begin((ulong First, ulong End) range)
    {
        lock (_one)
        {
            while (true)
            {
                bool isHeld = true;
                for (ulong granule = range.First; granule < range.End && isHeld; granule++)
                    isHeld = Has(granule);
                if (isHeld)
                    return false;
                if (!_underWay.Exists(other => other.First < range.End && range.First < other.End))
                    break;
                _ = Monitor.Wait(_one);
            }
            _underWay.Add(range);
            return true;
        }
    }

    void End((ulong First, ulong End) range)
    {
        lock (_one)
        {
            _ = _underWay.Remove(range);
            Monitor.PulseAll(_one);
        }
    }

    void Mark((ulong First, ulong End) range)
    {
        lock (_one)
            for (ulong granule = range.First; granule < range.End; granule++)
            {
                _bits[granule / 8] |= (byte)(1 << (int)(granule % 8));
                _ = _dirtyPages.Add((int)(granule / 8 / PageBytes));
            }
    }

    /// <summary>What a write leaves of its first and last granule comes from the point.</summary>
    void Complete((ulong First, ulong End) range, ulong offset, ulong end, ReadBelow below)
    {
        ulong lastBytes = Math.Min(range.End * _granuleBytes, _sizeBytes);
        if (offset > range.First * _granuleBytes && !Has(range.First))
            Copy(range.First * _granuleBytes, offset, below);
        if (end < lastBytes && !Has(range.End - 1))
            Copy(end, lastBytes, below);
    }

    void Copy(ulong offset, ulong end, ReadBelow below)
    {
        byte[] bytes = new byte[(int)(end - offset)];
        below(offset, bytes);
        WriteAt(_startBytes + offset, bytes);
    }

    void WriteAt(ulong offset, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(_file.SafeFileHandle, bytes, (long)offset);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Explain("cannot write to the overlay", exception);
        }
    }

    static bool TryReadAll(FileStream file, ulong offset, Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int count = RandomAccess.Read(file.SafeFileHandle, bytes, (long)offset);
            if (count == 0)
                return false;
            offset += (ulong)count;
            bytes = bytes[count..];
        }
        return true;
    }

    static RepositoryException Explain(string what, Exception exception)
    {
        RepositoryError error = exception.HResult is Errnos.ENOSPC or Errnos.EDQUOT
            ? RepositoryError.NoSpace
            : RepositoryError.Disk;
        return new RepositoryException(error, $"{what}: {FileTrouble.Describe(exception)}", exception);
    }
}
