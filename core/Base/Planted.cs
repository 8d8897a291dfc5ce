// Bugs that were made once, here or by others, and can be switched back in, one at a time, to see whether the
// simulator notices. Only the simulator's build has them (FASTBACKUP_PLANTED): elsewhere Is is the constant false,
// which the compilers fold away together with what it guards.
using System.Runtime.CompilerServices;
#if FASTBACKUP_PLANTED
using System;
#endif

namespace FastBackup.Base;

/// <summary>Each names the scenario of the regression list (R..) that it breaks.</summary>
public enum PlantedBug
{
    None,
    R01SnapshotReadNotHeld,
    R02PointInTimeNotQuiesced,
    R03GroupOneByOne,
    R04OneHoldForAllReaders,
    R05DiscardRoundedOutwards,
    R06DiscardedStillReadable,
    R07LastClusterForgotten,
    R11ZeroesPassUnseen,
    R11DiscardsPassUnseen,
    R12TimeoutWraps,
    R13PolicySwapped,
    R13GuestGoesOnAfterFailure,
    R14SetBackNotRevisited,
    R15TaskFreedEarly,
    R16FailureIsProgress,
    R18CancelLeavesParked,
    R19BitmapLostOnFailure,
    R20RootCauseLost,
    R21MapReadBeforePointInTime,
    R22TailClusterUnprotected,
    R24TargetMayBeSource,
    R25InternalPauseIgnored,
    R26FilterLeavesEarly,
    R27GateOpensSilently,
    R29HolesRoundedOutwards,
    R31RefusedZeroFails,
    R32ShortReadMisplaced,
    R33AgainForgotten,
    R35ParkedBufferGivenBack,
    R36FailedClusterSkipped,
    R37DiscardNotCounted,
    R38SmallDiscardBreaks,
    R39FullTargetIsSilent,
    R40DoneReadFromSource,
    R41SegmentsFromBufferStart,
    R42ZeroRoundedOutwards,
    R43ClaimedTwice,
    R47SuccessForgetsSuccessor,
    R47FailureForgetsSuccessor,
    R59SlowWriteNotRecorded,
    R59FrozenBitmapRecords,
    R69FailedFlushRetried,
    ReleasedWhenClaimed,
    ReleasedWhenWritten,
    CaptureOverItsLimit,
    BackgroundTakesReserve,
    ScratchReusedTooEarly,
    ScratchForgottenByReader,
    FailedPieceForgotten,
    OfferedReadOlderThanPointInTime,
    SharedPoolStarves,
    WaitTimerMissing,
    BrokenReadCounts,
    RestForgottenUnflushed,
    SetSpeedForgetsParked,
    PageSharedByUnaligned,
}

public static class Planted
{
#if FASTBACKUP_PLANTED
    [ThreadStatic]
    static PlantedBug _active;

    /// <summary>The bug that is in force on this thread.</summary>
    public static PlantedBug Active
    {
        get => _active;
        set => _active = value;
    }

    public static bool Is(PlantedBug bug) => _active == bug;
#else
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(PlantedBug bug) => false;
#endif
}
