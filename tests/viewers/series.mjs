// A source series as a viewer knows it: an image id per frame, and what Cornerstone asks of each.
import { readFileSync } from 'node:fs';
import dcmjs from 'dcmjs';

const { DicomMessage, DicomMetaDictionary } = dcmjs.data;

export function readDataset(path) {
  const bytes = readFileSync(path);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  // A character set that dcmjs does not know must not hide an image: only its names are at stake.
  const file = DicomMessage.readFile(buffer, { ignoreErrors: true });
  const dataset = DicomMetaDictionary.naturalizeDataset(file.dict);
  dataset._meta = DicomMetaDictionary.namifyDataset(file.meta);
  return { dataset, buffer };
}

export function readSeries(paths) {
  const images = new Map(); // image id → its headers, with the groups of its frame
  for (const path of paths) {
    const { dataset } = readDataset(path);
    delete dataset.PixelData;
    const frames = Number(dataset.NumberOfFrames) || 1;
    for (let frame = 1; frame <= frames; frame++) {
      images.set(`wadors:/instances/${dataset.SOPInstanceUID}/frames/${frame}`, {
        dataset,
        frame,
        plane: planeOf(dataset, frame),
      });
    }
  }
  return images;
}

function planeOf(dataset, frame) {
  const shared = dataset.SharedFunctionalGroupsSequence?.[0] ?? {};
  const own = dataset.PerFrameFunctionalGroupsSequence?.[frame - 1] ?? {};
  const group = name => own[name]?.[0] ?? shared[name]?.[0] ?? dataset;
  return {
    orientation: group('PlaneOrientationSequence').ImageOrientationPatient.map(Number),
    position: group('PlanePositionSequence').ImagePositionPatient.map(Number),
    spacing: group('PixelMeasuresSequence').PixelSpacing.map(Number),
  };
}

// The answers of OHIF's metadata provider, as far as the adapters ask.
export function providerOf(images) {
  return (type, id) => {
    const found = images.get(id);
    if (!found) return undefined;
    const { dataset, plane, frame } = found;
    switch (type) {
      case 'instance':
        return dataset;
      case 'frameNumber':
        return frame;
      case 'generalSeriesModule':
        return { seriesInstanceUID: dataset.SeriesInstanceUID, modality: dataset.Modality };
      case 'generalImageModule':
      case 'sopCommonModule':
        return { sopInstanceUID: dataset.SOPInstanceUID, sopClassUID: dataset.SOPClassUID };
      case 'imagePixelModule':
        return {
          rows: dataset.Rows,
          columns: dataset.Columns,
          bitsAllocated: 8,
          bitsStored: 8,
          highBit: 7,
          samplesPerPixel: 1,
          pixelRepresentation: 0,
          photometricInterpretation: 'MONOCHROME2',
        };
      case 'imagePlaneModule':
        return {
          frameOfReferenceUID: dataset.FrameOfReferenceUID,
          rows: dataset.Rows,
          columns: dataset.Columns,
          imageOrientationPatient: plane.orientation,
          rowCosines: plane.orientation.slice(0, 3),
          columnCosines: plane.orientation.slice(3),
          imagePositionPatient: plane.position,
          pixelSpacing: plane.spacing,
          rowPixelSpacing: plane.spacing[0],
          columnPixelSpacing: plane.spacing[1],
        };
      default:
        return undefined;
    }
  };
}
