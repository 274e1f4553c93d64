// What OHIF would draw of an SR and of a SEG, told by its own code: Cornerstone's adapters, and the extension that
// opens an SR. Asks on stdin {images: [path], sr?: path, seg?: path}; answers on stdout in JSON.
import { createRequire, register } from 'node:module';
import { readFileSync } from 'node:fs';

register('./resolve.mjs', import.meta.url);
const warnings = [];
const keep = (...words) => warnings.push(words.map(String).join(' ').slice(0, 300));
Object.assign(console, { log() {}, info() {}, debug() {}, warn: keep, error: keep });

const core = await import('@cornerstonejs/core');
const adapters = await import('@cornerstonejs/adapters');
const { readDataset, readSeries, providerOf } = await import('./series.mjs');
const { drawnByExtension } = await import('./extension.mjs');

const asked = JSON.parse(readFileSync(0, 'utf8'));
const images = readSeries(asked.images);
const get = providerOf(images);
core.metaData.addProvider(get, 100);
const answer = {};
if (asked.sr) {
  const { dataset } = readDataset(asked.sr);
  answer.adapter = drawnByAdapter(dataset);
  answer.extension = await drawnByExtension({ dataset, images, core, adapters });
}
if (asked.seg) answer.segments = await segmentsOf(readDataset(asked.seg).buffer);
answer.warnings = warnings;
process.stdout.write(JSON.stringify(answer));
process.exit(0); // workers of the loader would keep it waiting

// As hydrateStructuredReport.ts does: annotations by tool.
function drawnByAdapter(dataset) {
  const ids = {};
  for (const [id, { dataset: image, frame }] of images) ids[`${image.SOPInstanceUID}:${frame}`] = id;
  const state = adapters.adaptersSR.Cornerstone3D.MeasurementReport.generateToolState(
    dataset,
    ids,
    core.metaData
  );
  return Object.entries(state).flatMap(([tool, items]) =>
    items.map(item => ({
      tool,
      trackingUid: item.TrackingUniqueIdentifier,
      label: item.annotation.data.label,
      finding: item.description,
      image: item.annotation.metadata.referencedImageId,
      frameOfReference: item.annotation.metadata.FrameOfReferenceUID,
      points: item.annotation.data.handles.points,
      stats: Object.values(item.annotation.data.cachedStats ?? {})[0],
    }))
  );
}

// As getSopClassHandlerModule.ts of cornerstone-dicom-seg does: how many pixels each segment has on which image.
async function segmentsOf(buffer) {
  const ids = [...images.keys()];
  let found;
  try {
    found = await adapters.adaptersSEG.Cornerstone3D.Segmentation.createFromDICOMSegBuffer(ids, buffer, {
      metadataProvider: core.metaData,
    });
  } catch (error) {
    return { refused: error.message };
  }
  const voxels = {};
  for (const layer of found.labelMapImages) {
    for (const image of layer) {
      for (const value of image.getPixelData()) {
        if (value) voxels[value] = (voxels[value] ?? 0) + 1;
      }
    }
  }
  const described = found.segMetadata.data.filter(Boolean);
  return { voxels, overlapping: found.overlappingSegments, names: described.map(item => item.SegmentLabel) };
}
