// Lines of a section: how something grows, or how it is spread. A picture on the page, and a table everywhere.
using System.Collections.Generic;

namespace FastBackup.Bench.Report;

/// <param name="Title">What is to be seen, in a few words.</param>
/// <param name="Across">Of that axis, with its unit.</param>
/// <param name="Up">Of that axis, with its unit.</param>
/// <param name="IsAcrossLog">Powers of ten; what is not above 0 is left out.</param>
/// <param name="IsUpLog">The same of the other axis.</param>
/// <param name="Lines">At least one; all have the same values across, or the same values up.</param>
sealed record Chart(string Title, string Across, string Up, bool IsAcrossLog, bool IsUpLog, List<ChartLine> Lines);

/// <param name="Name">For the legend.</param>
/// <param name="Across">Of each point.</param>
/// <param name="Up">Of each point.</param>
sealed record ChartLine(string Name, List<double> Across, List<double> Up);
