// What a tracker could do wrong, each of which the model must notice: done by who drives the store, or by its files.
namespace FastBackup.Tests.Unit.Tracking;

public enum ModelMistake
{
    None,

    /// <summary>A write does not ask whether its region is open.</summary>
    WriteBeforeIntent,

    /// <summary>Regions are open as soon as their intents are on their way.</summary>
    OpenBeforeSteps,

    /// <summary>Intents are written and not flushed.</summary>
    IntentsNotFlushed,

    /// <summary>Fine pages are written and not flushed.</summary>
    FineNotFlushed,

    /// <summary>Regions are closed while their fine pages are on their way.</summary>
    CloseBeforeSteps,

    /// <summary>Regions are closed while a write is between its look and its bit.</summary>
    CloseInLoudMoment,

    /// <summary>The live map of another boot is believed.</summary>
    StaleBootBelieved,

    /// <summary>Only the first copy of the intents is written.</summary>
    OneCopyOfIntents,

    /// <summary>Only the first copy of the fine map is written.</summary>
    OneCopyOfFine,

    /// <summary>Attach relies on what one copy of the intents has.</summary>
    AttachWithoutHealing,

    /// <summary>Attach begins to count from 1 again: old blocks seem newer than new ones.</summary>
    SequenceReused,

    /// <summary>Fine pages go where the page before belongs.</summary>
    FinePageMisplaced,

    /// <summary>The live bit is set when the write has ended.</summary>
    BitAfterWrite,

    /// <summary>The steps behind a flush are started before it.</summary>
    StepsReordered,
}
