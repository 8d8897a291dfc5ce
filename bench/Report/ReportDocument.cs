// A whole report, as it is kept and compared: JSON with nothing in it that another machine could not read.
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

/// <param name="Version">Of the product.</param>
/// <param name="Host">Processor, kernel, file system, load at the beginning.</param>
/// <param name="Mode">Quick or full.</param>
/// <param name="Seconds">That it took.</param>
/// <param name="OtherLoad">Processors that others used, before or after: above 0.2 the figures are noisy.</param>
/// <param name="Sections">In their order.</param>
sealed record ReportDocument(
    string Version,
    string Host,
    string Mode,
    double Seconds,
    double OtherLoad,
    List<Section> Sections
)
{
    const double NoiseMax = 0.2;

    static readonly JsonSerializerOptions s_options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
    };

    public IEnumerable<Figure> Figures => Sections.SelectMany(section => section.Figures);

    /// <summary>Others used the machine, when it began or ended.</summary>
    public bool IsNoisy => OtherLoad > NoiseMax;

    public string ToJson() => JsonSerializer.Serialize(this, s_options);

    /// <exception cref="PeerException">It is none, or cannot be read.</exception>
    public static ReportDocument Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<ReportDocument>(File.ReadAllText(path), s_options)
                ?? throw new JsonException("it is empty");
        }
        catch (System.Exception e) when (e is JsonException or IOException or System.UnauthorizedAccessException)
        {
            throw new PeerException($"'{path}' is no report.json: {e.Message}");
        }
    }
}
