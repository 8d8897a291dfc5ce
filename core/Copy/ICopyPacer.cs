// Who says when captured data may go to the target while memory is not short: the job, by its governor.
namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
public interface ICopyPacer
{
    /// <summary>Whether a captured chunk may be written now; when not, Pump is called as soon as it may.</summary>
    /// <param name="deviceBytes">What the devices have of this copy now.</param>
    /// <param name="lengthBytes">Of the chunk.</param>
    bool MayWrite(ulong deviceBytes, ulong lengthBytes);

    /// <summary>A captured chunk has ended.</summary>
    /// <param name="lengthBytes">Of it.</param>
    void OnWritten(ulong lengthBytes);
}
