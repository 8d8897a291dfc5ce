// What becomes of a backup's bitmap: frozen at T0, and at the end its successor takes over, or nothing that was dirty
// is forgotten.
//
// The bitmap of a chain names where the disk differs from the target. So whatever the mode, what a job may have spoilt
// on the target must be in it: each cluster of a request that failed or was never answered, as a whole, because a later
// job may have smaller clusters (CopyMap.Unsure); and after a failed flush all that was written, because nobody knows
// what of it is there. Mode always may forget what was copied only when that is durable.
// A job that ends before its point in time has copied nothing: in mode always the bitmap names all that it was to copy.
//
// The quiesced moment only says what is to become of the bitmap; that is carried out afterwards, in pieces (Settle).
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Filter;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's. Everything is without effect for a job without a bitmap.</summary>
/// <param name="disk">The bitmap's.</param>
/// <param name="map">What was copied and what was not.</param>
/// <param name="flush">What is known of the target.</param>
/// <param name="options">The job's.</param>
sealed class BitmapFate(Disk disk, CopyMap map, TargetFlush flush, BackupOptions options)
{
    bool _isFrozen;
    DirtyBitmap? _settling;
    bool _isWidening; // what the bitmap names becomes unsure first, rounded to clusters
    ulong _widenedBytes;

    /// <summary>Something is left to do after the end.</summary>
    public bool IsSettling => _settling != null;

    /// <summary>Mode always will forget what was copied: only what is durable may be forgotten.</summary>
    public bool NeedsFlush => _isFrozen && Mode == BitmapMode.Always && !flush.IsUnsure;

    BitmapMode Mode => options.BitmapMode ?? BitmapMode.OnSuccess;

    /// <summary>It copies everything, not only what a bitmap names.</summary>
    bool IsOfAll => options.Sync is BackupSync.Full or BackupSync.Top;

    /// <summary>The point in time is now; the disk is quiesced.</summary>
    /// <returns>None, or State where the bitmap cannot be had any more.</returns>
    public Fault Freeze()
    {
        if (options.Bitmap is not { } bitmap)
            return Fault.None;
        // The job was made at some earlier time: the bitmap may have gone to another one since, or away.
        if (bitmap.IsBusy || !ReferenceEquals(disk.FindBitmap(bitmap.Name), bitmap))
            return new Fault(FaultKind.State);
        bitmap.Freeze();
        disk.RefreshRecording();
        _isFrozen = true;
        return Fault.None;
    }

    /// <summary>Success is final; the disk is quiesced.</summary>
    public void Commit()
    {
        if (options.Bitmap is not { } bitmap)
            return;
        if (Mode == BitmapMode.Never)
            bitmap.Reclaim();
        else
            bitmap.Abdicate();
        BeginToSettle(bitmap);
    }

    /// <summary>The job has failed, before or after T0; the disk is quiesced, nothing is in flight.</summary>
    public void Abort()
    {
        if (options.Bitmap is not { } bitmap)
            return;
        if (!_isFrozen)
        {
            OweWhatNeverBegan(bitmap);
            return;
        }
        bool mustRestore = Mode == BitmapMode.Always ? flush.IsUnsure : flush.HasFailed;
        if (Mode == BitmapMode.Always && !mustRestore)
            bitmap.KeepRest(map.Todo);
        else
            bitmap.Reclaim();
        if (mustRestore && IsOfAll)
            bitmap.OweAll();
        _isWidening = mustRestore && !IsOfAll;
        BeginToSettle(bitmap);
    }

    /// <summary>Mode always, and nothing was copied: the bitmap is to name everything, whoever holds it.</summary>
    void OweWhatNeverBegan(DirtyBitmap bitmap)
    {
        if (Mode != BitmapMode.Always || !IsOfAll)
            return; // a bitmap that says what to copy still says it
        if (!ReferenceEquals(disk.FindBitmap(bitmap.Name), bitmap))
            return; // taken off the disk meanwhile, and its memory may be gone
        if (bitmap.OweAll())
            _settling = bitmap;
    }

    /// <summary>Does the next piece of what is left, at most about half a millisecond.</summary>
    public void Settle()
    {
        if (_isWidening)
            _isWidening = !map.Unsure.MergePiece(_settling!.Bits, ref _widenedBytes);
        else if (_settling!.TrySettle())
            _settling = null;
    }

    void BeginToSettle(DirtyBitmap bitmap)
    {
        bitmap.Gain(map.Unsure);
        disk.RefreshRecording();
        _settling = bitmap;
    }
}
