// Writes of one kind, each to two places, as a list of steps: what is written, where, and where a flush must come
// between. Whoever carries them out (the loop's port, a command at the end of a file, a test) may do the writes between
// two flushes in any order and at once, and starts nothing behind a flush before it has ended.
//
//   together     all first copies, all second copies, flush             one flush: what guests wait for
//   one by one   all first copies, flush, all second copies, flush      a power cut never tears both copies
//
// Together is for intents only: they are written in sectors of 512 bytes that a disk does not tear, each sealed by
// itself; and if one does, a region too many is reported, not one too few.
using System;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Tracking.Store;

/// <summary>Threads: one. Allocates nothing after its construction.</summary>
/// <param name="buffer">What is written; must not change while the batch is under way. The maker's.</param>
/// <param name="isTogether">See the file head.</param>
/// <param name="pieceCountMax">How many runs of pages it holds.</param>
sealed class TrackerBatch(AlignedRegion buffer, bool isTogether, int pieceCountMax)
{
    readonly record struct Piece(int BufferOffsetBytes, int LengthBytes, ulong FirstAt, ulong SecondAt);

    readonly Piece[] _pieces = new Piece[pieceCountMax];
    int _count;
    int _nextStep;

    public AlignedRegion Buffer => buffer;

    public bool IsFull => _count == _pieces.Length;

    /// <summary>Steps are left, or the result was not taken yet.</summary>
    public bool IsBusy { get; private set; }

    /// <param name="bufferOffsetBytes">In the buffer.</param>
    /// <param name="lengthBytes">Whole pages.</param>
    /// <param name="firstAt">Where it is written first.</param>
    /// <param name="secondAt">Where it is written then.</param>
    public void Add(int bufferOffsetBytes, int lengthBytes, ulong firstAt, ulong secondAt)
    {
        Check.That(!IsBusy);
        Check.That(!IsFull);
        _pieces[_count++] = new Piece(bufferOffsetBytes, lengthBytes, firstAt, secondAt);
    }

    /// <summary>No more pieces: the steps may be taken.</summary>
    public void Begin()
    {
        Check.That(!IsBusy);
        (IsBusy, _nextStep) = (true, 0);
    }

    /// <summary>Steps are left to be taken.</summary>
    public bool HasSteps => IsBusy && _count > 0 && _nextStep < StepCount;

    int StepCount => isTogether ? 2 * _count + 1 : 2 * (_count + 1);

    /// <returns>False: that was all; whoever has begun the batch ends it.</returns>
    public bool TryNext(out TrackerStep step)
    {
        Check.That(IsBusy);
        step = default;
        int index = _nextStep++;
        if (_count == 0 || index >= StepCount)
            return false;
        bool isSecond = index >= (isTogether ? _count : _count + 1);
        int piece =
            index
            - (
                !isSecond ? 0
                : isTogether ? _count
                : _count + 1
            );
        step = piece == _count ? new TrackerStep(true, 0, 0, 0) : StepOf(_pieces[piece], isSecond);
        return true;
    }

    /// <summary>What a step writes.</summary>
    public Span<byte> BytesOf(in TrackerStep step) => buffer.Slice((ulong)step.BufferOffsetBytes, step.LengthBytes);

    /// <summary>All steps have been carried out, or one has failed.</summary>
    public void End()
    {
        Check.That(IsBusy);
        (IsBusy, _count) = (false, 0);
    }

    static TrackerStep StepOf(in Piece piece, bool isSecond) =>
        new(false, piece.BufferOffsetBytes, piece.LengthBytes, isSecond ? piece.SecondAt : piece.FirstAt);
}
