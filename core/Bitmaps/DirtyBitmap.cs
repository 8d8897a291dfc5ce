// A named dirty bitmap of a disk: what the guest has written since it was made, cleared, or last backed up.
//
// While a job uses it (busy), it is frozen and an anonymous successor records new writes. At the job's end one
// of three things happens to the pair:
//   abdicate   success: the successor's bits become the bitmap's, the frozen ones are forgotten
//   reclaim    failure: the successor's bits are added to the frozen ones
//   keep rest  (mode always) the successor's bits plus what the job did not copy become the bitmap's
// Every change of what records happens while the disk is quiesced, so no guest write falls between two bitmaps.
//
// Guests wait for a quiesced moment, so nothing is done in it that takes longer for a larger disk: the two change
// places, or the bitmap records again, and that is all. What is left to do, it settles afterwards, a piece at a time,
// busy until then: it gains what it was promised (Gain, OweAll) and cleans what is forgotten. One that is cleared
// changes places with its spare as well; that is made clean before it is needed again (TidySpare), while guests write.
// In memory only; a bitmap that lost its history would be marked inconsistent by whoever loads it.
// Source: QEMU 10.2 block/dirty-bitmap.c (freeze, abdicate, reclaim), whose states these are.
using System;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Bitmaps;

/// <summary>Threads: the reactor's, except <see cref="Recording"/>'s bits, which any thread may set.</summary>
public sealed class DirtyBitmap : IDisposable
{
    /// <summary>Of UTF-8, at least 1.</summary>
    public const int NameBytesMax = 1023;

    public const ulong GranularityBytesMin = 512;
    public const ulong GranularityBytesMax = 2 * Units.GiB;
    public const ulong GranularityBytesDefault = 64 * Units.KiB;

    static ulong s_lastSerial;

    const ulong TidyBitsMax = 1 << 22; // 512 KiB of bits: 20 to 100 us
    const int GainsMax = 3; // the successor, what was not copied, what is unsure

    enum Phase
    {
        Idle,

        /// <summary>A job reads the bits; the successor records.</summary>
        Frozen,

        /// <summary>The bits record again; what else they are to have is still coming.</summary>
        Settling,
    }

    readonly HierarchicalBitmap?[] _gains = new HierarchicalBitmap?[GainsMax];
    HierarchicalBitmap _bits;
    HierarchicalBitmap _successor; // the spare one while no job uses the bitmap
    ulong _untidyFromBytes; // of the spare one; all before is clean
    Phase _phase;
    int _gainCount;
    ulong _positionBytes; // in the last of the gains
    bool _owesAll;
    ulong _allBit; // how far that was paid

    DirtyBitmap(string name, HierarchicalBitmap bits, HierarchicalBitmap successor) =>
        (Name, _bits, _successor, _untidyFromBytes) = (name, bits, successor, bits.SizeBytes);

    public string Name { get; }

    /// <summary>
    /// Stays the same for as long as the bitmap names all that it ever named: a new one each time that it forgets
    /// something. A target that a job with this bitmap has left unfinished is made whole by the next one with the same.
    /// </summary>
    public ulong Serial { get; private set; } = Interlocked.Increment(ref s_lastSerial);

    public ulong GranularityBytes => _bits.GranularityBytes;

    public ulong SizeBytes => _bits.SizeBytes;

    /// <summary>Whether guest writes are recorded; a busy bitmap records them in its successor.</summary>
    public bool IsEnabled { get; private set; } = true;

    /// <summary>
    /// A job uses it: it cannot be removed, cleared, merged into, enabled, disabled or used by another job.
    /// </summary>
    public bool IsBusy => _phase != Phase.Idle;

    /// <summary>Its job has ended, or is about to; what the bitmap is to have is still coming.</summary>
    public bool IsSettling => _phase == Phase.Settling;

    /// <summary>What a job reads while busy, what is reported otherwise.</summary>
    public HierarchicalBitmap Bits => _bits;

    /// <summary>The bits that guest writes go to now, or null when disabled.</summary>
    public HierarchicalBitmap? Recording =>
        !IsEnabled ? null
        : _phase == Phase.Frozen ? _successor
        : _bits;

    /// <summary>An enabled, clean bitmap. Takes address space for both generations; pages at first set.</summary>
    /// <param name="name">1..1023 bytes of UTF-8; unique on its disk (checked there).</param>
    /// <param name="sizeBytes">The disk's size.</param>
    /// <param name="granularityBytes">A power of two, 512 B..2 GiB.</param>
    /// <param name="bitmap">The bitmap, or null after a fault.</param>
    /// <returns>None, Invalid, Range or NoMemory.</returns>
    public static Fault TryCreate(string name, ulong sizeBytes, ulong granularityBytes, out DirtyBitmap? bitmap)
    {
        bitmap = null;
        int nameBytes = System.Text.Encoding.UTF8.GetByteCount(name);
        if (nameBytes is < 1 or > NameBytesMax)
            return new Fault(FaultKind.Invalid);
        if (granularityBytes < GranularityBytesMin)
            return new Fault(FaultKind.Invalid);
        BitmapOptions warm = new(IsWarm: true);
        Fault fault = HierarchicalBitmap.TryCreate(sizeBytes, granularityBytes, warm, out HierarchicalBitmap? bits);
        if (fault.IsFault)
            return fault;
        fault = HierarchicalBitmap.TryCreate(sizeBytes, granularityBytes, warm, out HierarchicalBitmap? successor);
        if (fault.IsFault)
        {
            bits!.Dispose();
            return fault;
        }
        bitmap = new DirtyBitmap(name, bits!, successor!);
        return Fault.None;
    }

    /// <summary>The disk must be quiesced.</summary>
    public void SetEnabled(bool isEnabled)
    {
        Check.That(!IsBusy);
        IsEnabled = isEnabled;
        Forget();
    }

    /// <summary>The disk must be quiesced. Cost: its dirty lines.</summary>
    public void Clear()
    {
        Check.That(!IsBusy);
        _bits.ResetAll();
        Forget();
    }

    /// <summary>
    /// As Clear; what records changes with it, so it is the disk's to call. Cost: O(1) once the spare bits are clean.
    /// </summary>
    internal void ClearByExchange()
    {
        Check.That(!IsBusy);
        Forget();
        if (_untidyFromBytes < SizeBytes) // else not even a count: thousands may be cleared in one moment
        {
            if (_bits.CountBits() == 0)
                return; // also the second of two clears in one moment
            TidyWholly();
        }
        Exchange();
    }

    /// <summary>
    /// Bits for a draft of what this bitmap will be: the spare ones, made clean. Until <see cref="TakeDraft"/> or
    /// <see cref="DropDraft"/> nothing else may be done with the bitmap but record.
    /// </summary>
    internal HierarchicalBitmap BeginDraft()
    {
        Check.That(!IsBusy);
        TidyWholly();
        return _successor;
    }

    /// <summary>The draft is the bitmap now. The disk must be quiesced, and list anew what records.</summary>
    internal void TakeDraft()
    {
        Exchange();
        if (_successor.CountBits() == 0) // as that of a new bitmap, which a job may take in this very moment
            _untidyFromBytes = SizeBytes;
    }

    internal void DropDraft() => _untidyFromBytes = 0;

    /// <summary>Larger bits take the place of both, of a disk that has grown; the old ones are whoever's reads
    /// them.</summary>
    /// <param name="bits">Has all that this bitmap names.</param>
    /// <param name="spare">Clean, of the same shape.</param>
    internal void Replace(HierarchicalBitmap bits, HierarchicalBitmap spare)
    {
        Check.That(!IsBusy);
        Check.That(bits.SizeBytes >= SizeBytes);
        Check.That(bits.GranularityBytes == GranularityBytes);
        (_bits, _successor, _untidyFromBytes) = (bits, spare, bits.SizeBytes);
    }

    /// <summary>Makes a part of the spare bits clean, which a clear and a freeze need.</summary>
    /// <returns>True when all of it is clean, or it is in use.</returns>
    /// <remarks>Cost: 0.1 ms at most. Guests may write meanwhile.</remarks>
    public bool TidySpare() => IsBusy || TidyPiece();

    /// <summary>
    /// Gains what another one names, rounded outwards. The disk must be quiesced; neither may be busy.
    /// </summary>
    /// <param name="source">Of a disk of the same size; any granularity; may be this bitmap.</param>
    public void Include(DirtyBitmap source)
    {
        Check.That(!IsBusy);
        Check.That(!source.IsBusy);
        Check.That(_bits.Merge(source._bits).IsNone);
    }

    /// <summary>Hands the bitmap to a job; new writes go to the successor. The disk must be quiesced.</summary>
    public void Freeze()
    {
        Check.That(!IsBusy);
        TidyWholly();
        _phase = Phase.Frozen;
    }

    /// <summary>
    /// The job succeeded: only what was written since the freeze stays dirty. The disk must be quiesced; then
    /// <see cref="TrySettle"/>.
    /// </summary>
    public void Abdicate()
    {
        BeginToSettle();
        Forget();
        Exchange();
    }

    /// <summary>
    /// The job failed: nothing that was dirty is forgotten. The disk must be quiesced; then <see cref="TrySettle"/>.
    /// </summary>
    public void Reclaim()
    {
        BeginToSettle();
        Gain(_successor);
    }

    /// <summary>
    /// The job ended early in mode always: dirty is what it did not copy, and what was written since. The disk must be
    /// quiesced; then <see cref="TrySettle"/>.
    /// </summary>
    /// <param name="remaining">The copy bitmap's bits, at rest until settled; rounded outwards.</param>
    public void KeepRest(HierarchicalBitmap remaining)
    {
        BeginToSettle();
        Exchange();
        Gain(remaining);
    }

    /// <summary>Busy until <see cref="EndFill"/>: it records, and somebody adds what changed before. The disk must be
    /// quiesced.</summary>
    public void BeginFill()
    {
        Check.That(!IsBusy);
        _phase = Phase.Settling;
    }

    /// <summary>It names all that it is to name.</summary>
    public void EndFill()
    {
        Check.That(_phase == Phase.Settling);
        _phase = Phase.Idle;
    }

    /// <summary>While it settles: something more becomes dirty.</summary>
    /// <param name="bits">Of this size, any granularity, at rest until settled; rounded outwards.</param>
    public void Gain(HierarchicalBitmap bits)
    {
        Check.That(_phase == Phase.Settling);
        Check.That(bits.SizeBytes == SizeBytes);
        _gains[_gainCount++] = bits;
    }

    void Forget() => Serial = Interlocked.Increment(ref s_lastSerial);

    /// <summary>
    /// Everything becomes dirty, at the latest when what holds the bitmap has ended. One that nobody held settles from
    /// here on. The disk must be quiesced.
    /// </summary>
    /// <returns>True when it is the caller's to settle.</returns>
    public bool OweAll()
    {
        bool wasIdle = _phase == Phase.Idle;
        if (wasIdle)
            BeginToSettle();
        (_owesAll, _allBit) = (true, 0);
        return wasIdle;
    }

    /// <summary>Does the next piece of what is left to do; any moment will do.</summary>
    /// <returns>True when nothing is left: from here on it is not busy.</returns>
    /// <remarks>Cost: O(1), about half a millisecond at most.</remarks>
    public bool TrySettle()
    {
        Check.That(_phase == Phase.Settling);
        if (_owesAll)
            _owesAll = !_bits.SetAllPiece(ref _allBit);
        else if (_gainCount > 0)
            TakeGain();
        else if (TidyPiece())
            _phase = Phase.Idle;
        return _phase == Phase.Idle;
    }

    void TakeGain()
    {
        if (!_bits.MergePiece(_gains[_gainCount - 1]!, ref _positionBytes))
            return;
        _gains[--_gainCount] = null;
        _positionBytes = 0;
    }

    void BeginToSettle()
    {
        Check.That(_phase != Phase.Settling);
        (_phase, _untidyFromBytes) = (Phase.Settling, 0);
    }

    /// <summary>The other of the pair becomes the bitmap; what it was is to be made clean.</summary>
    void Exchange()
    {
        (_bits, _successor) = (_successor, _bits);
        _untidyFromBytes = 0;
    }

    bool TidyPiece()
    {
        ulong stepBytes = Math.Min(TidyBitsMax * GranularityBytes, SizeBytes - _untidyFromBytes);
        Check.That(_successor.ResetExclusive(_untidyFromBytes, stepBytes).IsNone);
        _untidyFromBytes += stepBytes;
        return _untidyFromBytes >= SizeBytes;
    }

    void TidyWholly()
    {
        while (!TidyPiece())
            continue;
        Check.That(_successor.CountBits() == 0);
    }

    public void Dispose()
    {
        Check.That(!IsBusy);
        _bits.Dispose();
        _successor.Dispose();
    }
}
