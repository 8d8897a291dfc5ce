// Work that computes for long and waits for nothing.
namespace FastBackup.Ports;

public interface ICrewWork
{
    /// <summary>On a thread of the crew, or on the loop's where there is no crew. Throws nothing.</summary>
    void RunOnCrew();
}
