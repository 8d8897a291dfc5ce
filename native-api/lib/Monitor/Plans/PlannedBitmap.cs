// A bitmap as it will be once the actions before the one at hand have been carried out.
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Plans;

/// <param name="Bitmap">Its object, which may be still to come.</param>
/// <param name="IsBusy">A job uses it, or will.</param>
/// <param name="IsToCome">An action before adds it.</param>
readonly record struct PlannedBitmap(BitmapObject Bitmap, bool IsBusy, bool IsToCome);
